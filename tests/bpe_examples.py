"""A text with what tokenizers stumble over, and special tokens of which one begins like another."""

SAMPLE = (
    "A lamp, two lamps, 300 lamps: the lamplighter's round.\nHe'd light each lamp and each lamp's\n"
    "    lamp.light(300)\n\n\nDie Lampe, лампа, 電灯と電灯 <|endoftext|> 😀\n"
) * 3
SPECIALS = ["<|endoftext|>", "<|user|>", "<|user|><|end|>"]
