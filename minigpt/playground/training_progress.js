// How far a run is, how long it still takes and what comes after it, in words.

// what `make train` does when a stage has ended
export const NEXT = {
  pretrain: "fine-tuning comes next, from which it learns to answer",
  sft: "its examination comes next, and the report",
};

// Say where a run is that the server lists: "step 750 of 2,500".
export function stepOf({ step, steps }) {
  return `step ${step.toLocaleString("en")}${steps ? ` of ${steps.toLocaleString("en")}` : ""}`;
}

// The same, with what is left: "step 750 of 2,500, about 7 min left".
export const soFar = (run) =>
  run.seconds_left === null ? stepOf(run) : `${stepOf(run)}, ${remaining(run.seconds_left)}`;

// Say how long it still takes: no more exactly than it is known.
export function remaining(seconds) {
  if (seconds < 50) return "less than a minute left";
  return `about ${duration(60 * Math.round(seconds / 60))} left`;
}

// 3 min 20 s
export function duration(seconds) {
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const parts = [
    hours && `${hours}\u00a0h`, // no line is broken between a number and its unit
    minutes && `${minutes}\u00a0min`,
    !hours && (rest > 0 || !minutes) && `${rest}\u00a0s`,
  ];
  return parts.filter(Boolean).join(" ");
}
