/** Profiles in the format of pprof: the message `perftools.profiles.Profile` of its profile.proto, not yet compressed. */
import { BinaryWriter } from '@bufbuild/protobuf/wire';

export interface StackFrame {
  readonly name: string;
  readonly file: string;
  /** From 1; 0 when there is none. */
  readonly line: number;
}

/** A stack, innermost frame first, and one value for each type of the profile. */
export interface StackSample {
  readonly stack: readonly StackFrame[];
  readonly values: readonly number[];
}

export interface ValueType {
  readonly type: string;
  readonly unit: string;
}

export interface StackProfile {
  readonly valueTypes: readonly ValueType[];
  readonly periodType: ValueType;
  /** Units of `periodType` between two samples. */
  readonly period: number;
  readonly atMs: number;
  readonly durationMs: number;
  readonly samples: readonly StackSample[];
}

const NS_PER_MS = 1_000_000;
/** Field numbers of the messages (profile.proto). */
const PROFILE = {
  sampleType: 1,
  sample: 2,
  location: 4,
  function: 5,
  stringTable: 6,
  timeNanos: 9,
  durationNanos: 10,
  periodType: 11,
  period: 12,
} as const;
const SAMPLE = { locationId: 1, value: 2 } as const;
const LOCATION = { id: 1, line: 4 } as const;
const LINE = { functionId: 1, line: 2 } as const;
const FUNCTION = { id: 1, name: 2, systemName: 3, filename: 4 } as const;
const VALUE_TYPE = { type: 1, unit: 2 } as const;

const VARINT = 0;
const LENGTH_DELIMITED = 2;

/** Numbers for things in the order of their appearance. */
class Numbers<T> {
  readonly values: T[] = [];
  readonly #numbers = new Map<string, number>();

  of(key: string, value: T): number {
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.values.push(value);
    this.#numbers.set(key, this.values.length - 1);
    return this.values.length - 1;
  }
}

/** The bytes of a profile. */
export function encodePprof(profile: StackProfile): Uint8Array {
  const writer = new BinaryWriter();
  const strings = new Numbers<string>();
  const frames = new Numbers<StackFrame>();
  const text = (value: string) => strings.of(value, value);
  // The first string has to be the empty one.
  text('');
  for (const type of profile.valueTypes) valueType(writer, PROFILE.sampleType, type, text);
  for (const sample of profile.samples) writeSample(writer, sample, frames);
  for (const [index, frame] of frames.values.entries()) writeLocation(writer, index + 1, frame, text);
  uint(writer, PROFILE.timeNanos, BigInt(Math.round(profile.atMs)) * BigInt(NS_PER_MS));
  uint(writer, PROFILE.durationNanos, BigInt(Math.round(profile.durationMs)) * BigInt(NS_PER_MS));
  valueType(writer, PROFILE.periodType, profile.periodType, text);
  uint(writer, PROFILE.period, profile.period);
  for (const value of strings.values) writer.tag(PROFILE.stringTable, LENGTH_DELIMITED).string(value);
  return writer.finish();
}

function uint(writer: BinaryWriter, field: number, value: number | bigint): void {
  writer.tag(field, VARINT).uint64(value);
}

function valueType(writer: BinaryWriter, field: number, { type, unit }: ValueType, text: (s: string) => number): void {
  writer.tag(field, LENGTH_DELIMITED).fork();
  uint(writer, VALUE_TYPE.type, text(type));
  uint(writer, VALUE_TYPE.unit, text(unit));
  writer.join();
}

function writeSample(writer: BinaryWriter, { stack, values }: StackSample, frames: Numbers<StackFrame>): void {
  writer.tag(PROFILE.sample, LENGTH_DELIMITED).fork();
  writer.tag(SAMPLE.locationId, LENGTH_DELIMITED).fork();
  for (const frame of stack) writer.uint64(frames.of(`${frame.name}\n${frame.file}\n${frame.line}`, frame) + 1);
  writer.join();
  writer.tag(SAMPLE.value, LENGTH_DELIMITED).fork();
  for (const value of values) writer.int64(Math.round(value));
  writer.join().join();
}

/** A function and its only location, both with the number `id`. */
function writeLocation(writer: BinaryWriter, id: number, frame: StackFrame, text: (s: string) => number): void {
  writer.tag(PROFILE.location, LENGTH_DELIMITED).fork();
  uint(writer, LOCATION.id, id);
  writer.tag(LOCATION.line, LENGTH_DELIMITED).fork();
  uint(writer, LINE.functionId, id);
  uint(writer, LINE.line, frame.line);
  writer.join().join();
  writer.tag(PROFILE.function, LENGTH_DELIMITED).fork();
  uint(writer, FUNCTION.id, id);
  uint(writer, FUNCTION.name, text(frame.name));
  uint(writer, FUNCTION.systemName, text(frame.name));
  uint(writer, FUNCTION.filename, text(frame.file));
  writer.join();
}
