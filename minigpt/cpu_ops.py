from minigpt.ops import *
