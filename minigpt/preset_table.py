"""What the presets are for and take, as a table; and one of them, setting by setting."""

from dataclasses import fields

from minigpt.amounts import format_bytes, format_seconds
from minigpt.forecast import USUAL_MFU, forecast, total
from minigpt.presets import GPT2_VOCAB, PRESETS, by_depth

DEPTHS = (2, 4, 8, 12)
SHAPE = "layers  channels  heads  window  symbols    steps  tokens/step     rate"


def table(device, peak):
    """Return the presets, and what --depth would choose, as lines; `peak` is in FLOP/s."""
    found = {name: (p.model, p.train, p.about) for name, p in PRESETS.items()}
    for depth in DEPTHS:
        found[f"--depth {depth}"] = *by_depth(depth, GPT2_VOCAB), "instead of a preset"
    width = max(map(len, found))
    takes = [f"{'':{width}}  parameters    memory     time here  what it is for"]
    shapes = [f"{'':{width}}  {SHAPE}"]
    for name, (m, t, about) in found.items():
        memory, time = memory_and_time(m, t, device, peak)
        takes.append(
            f"{name:{width}}  {m.n_params() / 1e6:8.2f} M  {memory:>8}  {time:>12}  {about}"
        )
        shapes.append(
            f"{name:{width}}  {m.n_layer:6}  {m.n_embd:8}  {m.n_head:5}  {m.n_positions:6}  "
            f"{m.vocab_size:7,}  {t.steps:7,}  {t.windows_per_step() * m.n_positions:11,}  "
            f"{t.learning_rate:7.2g}"
        )
    mfu = USUAL_MFU[device.name]
    note = (
        f"time: pretraining alone, if it is {mfu:.0%} as fast as matrix products, "
        f"which made {peak / 1e9:,.0f} billion operations a second (GFLOP/s) here just now"
    )
    return [*takes, "", *shapes, "", note, "`python -m minigpt presets NAME` tells every setting"]


def memory_and_time(model, train, device, peak):
    """Return the memory and the time that pretraining takes here, in words."""
    seconds = forecast(model, train, device).seconds(peak)
    return format_bytes(total(model, train, device, packed=False)), format_seconds(seconds)


def one(name, device, peak):
    """Return the preset `name` as lines: what it takes, and every setting with its meaning."""
    p = PRESETS[name]
    memory, time = memory_and_time(p.model, p.train, device, peak)
    lines = [
        f"{name}: {p.about}",
        f"  {p.model.n_params() / 1e6:.2f} M parameters; pretraining takes about {memory} of "
        f"memory and {time} here",
        f"  the crawl fetches at most {p.pages:,} pages, the assistant is asked for {p.facts:,} "
        f"facts",
    ]
    for title, config in (("the model", p.model), ("the training", p.train)):
        lines += ["", title]
        for f in fields(config):
            flag = "--" + f.name.replace("_", "-")
            lines.append(f"  {flag:22}{words(getattr(config, f.name)):>9}   {f.metadata['help']}")
    return lines


def words(value):
    """Return a setting's value as a person writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
