// What the rounds of a bench come to: a median with the least and the most, and how contestants compare.
import { median, ratioByRound } from '../../bench/quantiles.ts';

export const named = (list, name) => list.find((one) => one.name === name);
/** Lines of requests hold rounds as `samples`, those at a fixed pace as `runs`. */
const roundsOf = ({ samples, runs }) => samples ?? runs;
const withEnds = (middle, values) => ({ middle, least: Math.min(...values), most: Math.max(...values) });

/** A field of a contestant over all rounds. */
export function spreadOf(result, field) {
  const values = roundsOf(result).map((round) => round[field]);
  return withEnds(median(values), values);
}

/** `ours / theirs` in each round: contestants take turns, so a round is the same stretch of time for both. */
function compare(ours, theirs, field) {
  const [our, their] = [roundsOf(ours), roundsOf(theirs)];
  const value = (round) => round[field];
  const each = our.slice(0, their.length).map((round, index) => value(round) / value(their[index]));
  return withEnds(ratioByRound(our, their, value), each);
}

/** `ours / theirs` among the results of a line, by name. */
export function ratioOf(results, ours, theirs, field) {
  return compare(named(results, ours), named(results, theirs), field);
}

/** Three digits that say something, thousands as k. */
export function short(value) {
  if (value >= 10_000) return `${(value / 1000).toFixed(1)}k`;
  if (value >= 100) return Math.round(value).toLocaleString('en');
  return value.toFixed(value >= 10 ? 1 : 2);
}

/** `19.9k (18.2k to 21.0k)`. */
export function spreadText({ middle, least, most }, text = short) {
  return `${text(middle)} (${text(least)} to ${text(most)})`;
}

export const ratioText = (spread) => spreadText(spread, (value) => value.toFixed(2));

/** Of microseconds, in what suits the median. */
export function timeText(spread) {
  const [divisor, unit] = spread.middle >= 1000 ? [1000, 'ms'] : [1, 'µs'];
  return `${spreadText(spread, (us) => short(us / divisor))} ${unit}`;
}
