# minigpt: from web pages to a language model. `make` alone lists what there is.
#
# Every stage is a command that reads files and writes files; the rules below say which.
# A stage writes its target last and in one piece, so an interrupted `make train` goes on
# where it stopped, and a finished one does nothing.

# ---- what to train on, and how: each may be given on the command line --------------------
SITE    =            # a site to crawl;            default: Python's own documentation (pydoc)
PAGES   =            # fetch at most so many pages; default: the preset's
WARC    =            # WARC or WET files to read instead of crawling
TEXT    =            # text or JSON Lines files to train on as they are: no crawl, no cleaning
PRESET  = tiny       # smoke | tiny | ... : `python -m minigpt presets` shows them
VOCAB   =            # number of symbols;          default: the preset's
DEVICE  = cpu        # cpu | gpu
OUT     = out        # where everything goes
PROFILE =            # cleaning rules: web | reference; default: reference for pydoc, else web
VENV    = .venv
PYTHON  = python3    # the interpreter that makes $(VENV)
RUN     =            # an interpreter that has everything already: then no $(VENV) is made

# a comment after a value leaves blanks behind it: take them off
override SITE := $(strip $(SITE))
override PAGES := $(strip $(PAGES))
override WARC := $(strip $(WARC))
override TEXT := $(strip $(TEXT))
override PRESET := $(strip $(PRESET))
override VOCAB := $(strip $(VOCAB))
override DEVICE := $(strip $(DEVICE))
override OUT := $(strip $(OUT))
override PROFILE := $(strip $(PROFILE))
override VENV := $(strip $(VENV))
override PYTHON := $(strip $(PYTHON))
override RUN := $(strip $(RUN))
