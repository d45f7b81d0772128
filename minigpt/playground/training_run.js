// What is known of one run, put together from the server's answers: only what is new is asked for.

const MOST = 4000; // lines: what the server gives at first is fewer, but a page may stay open for days

export class Run {
  constructor(name) {
    this.name = name;
    this.metrics = []; // lines of metrics.jsonl
    this.samples = []; // lines of samples.jsonl
    this.running = null; // not known yet
  }

  // Ask for what is new; `about` is what the list of runs says of this one. Tells what changed:
  // {metrics, samples, running}, each true if so, and the newest look's line, if there is a new one.
  async refresh(api, about) {
    const last = () => this.metrics.at(-1)?.step ?? -1;
    if (about.step < last()) this.metrics = this.samples = []; // it went back to what was saved
    const first = last() < 0;
    if (!first && !about.running && !this.running) return {};
    // the last step's sample may have been written after its line was read: ask for both again
    const known = this.metrics.at(-2)?.step ?? -1;
    const answer = await api.get(`/playground/api/runs/${encodeURIComponent(this.name)}?after=${known}`);
    const metrics = answer.metrics.filter((line) => line.step > last());
    const samples = answer.samples.filter(({ step }) => !this.samples.some((s) => s.step === step));
    this.metrics = thinned([...this.metrics, ...metrics]);
    this.samples = [...this.samples, ...samples];
    const running = this.running !== answer.running;
    this.running = answer.running;
    const look = first ? undefined : metrics.findLast(isLook);
    return { metrics: first || metrics.length > 0, samples: first || samples.length > 0, running, look };
  }
}

const isLook = ({ val_loss: nats }) => Number.isFinite(nats); // at the validation text

// Of too many lines every other one between looks is left out.
function thinned(lines) {
  if (lines.length <= MOST) return lines;
  const isKept = (line, i) => isLook(line) || i >= lines.length - 2 || i % 2 === 0;
  return lines.filter(isKept);
}
