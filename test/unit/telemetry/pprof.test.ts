import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { encodePprof, type StackSample } from '../../../src/telemetry/pprof.ts';
import { cpuSamples, heapSamples } from '../../../src/telemetry/thread-profiler.ts';

type Field = number | Uint8Array;

/** The fields of a message by their number. */
function fieldsOf(bytes: Uint8Array): Map<number, Field[]> {
  const fields = new Map<number, Field[]>();
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    const value = wireType === 0 ? Number(reader.uint64()) : reader.bytes();
    fields.set(field, [...(fields.get(field) ?? []), value]);
  }
  return fields;
}

const messages = (fields: Map<number, Field[]>, field: number) =>
  (fields.get(field) ?? []).map((bytes) => fieldsOf(bytes as Uint8Array));
const number = (fields: Map<number, Field[]> | undefined, field: number) => Number(fields?.get(field)?.[0] ?? 0);

function packed(fields: Map<number, Field[]>, field: number): number[] {
  const reader = new BinaryReader(fields.get(field)?.[0] as Uint8Array);
  const values: number[] = [];
  while (reader.pos < reader.len) values.push(Number(reader.int64()));
  return values;
}

/** Reads a profile as pprof would. */
function decode(bytes: Uint8Array) {
  const profile = fieldsOf(bytes);
  const strings = (profile.get(6) ?? []).map((text) => Buffer.from(text as Uint8Array).toString());
  const functions = new Map(messages(profile, 5).map((one) => [number(one, 1), one]));
  const frames = new Map(
    messages(profile, 4).map((location) => {
      const [line] = messages(location, 4);
      const called = functions.get(number(line, 1));
      return [number(location, 1), `${strings[number(called, 2)]} ${strings[number(called, 4)]}:${number(line, 2)}`];
    }),
  );
  const type = (one: Map<number, Field[]>) => `${strings[number(one, 1)]}/${strings[number(one, 2)]}`;
  return {
    firstString: strings[0],
    types: messages(profile, 1).map(type),
    periodType: messages(profile, 11).map(type),
    numbers: [9, 10, 12].map((field) => number(profile, field)),
    samples: messages(profile, 2).map((one) => ({
      stack: packed(one, 1).map((id) => frames.get(id)),
      values: packed(one, 2),
    })),
  };
}

const frame = (name: string, line = 1) => ({ name, file: `${name}.js`, line });

describe('encodePprof', () => {
  it('writes stacks, values and types where pprof reads them', () => {
    const samples: StackSample[] = [
      { stack: [frame('leaf', 7), frame('root')], values: [2, 5_000_000_000] },
      { stack: [frame('root')], values: [1, 10] },
    ];
    const cpu = { type: 'cpu', unit: 'nanoseconds' };
    const bytes = encodePprof({
      valueTypes: [{ type: 'samples', unit: 'count' }, cpu],
      periodType: cpu,
      period: 10_000_000,
      atMs: 1_700_000_000_000,
      durationMs: 5000,
      samples,
    });
    assert.deepEqual(decode(bytes), {
      firstString: '',
      types: ['samples/count', 'cpu/nanoseconds'],
      periodType: ['cpu/nanoseconds'],
      numbers: [1_700_000_000_000_000_000, 5_000_000_000, 10_000_000],
      samples: [
        { stack: ['leaf leaf.js:7', 'root root.js:1'], values: [2, 5_000_000_000] },
        { stack: ['root root.js:1'], values: [1, 10] },
      ],
    });
  });
});

const callFrame = (functionName: string, lineNumber = 0) => ({
  functionName,
  scriptId: '1',
  url: `${functionName}.js`,
  lineNumber,
  columnNumber: 0,
});

describe('profiles of V8', () => {
  it('of time become stacks with counts and nanoseconds, without the root and without waiting', () => {
    const nodes = [
      { id: 1, callFrame: callFrame('(root)', -1), children: [2, 3, 5] },
      { id: 2, callFrame: callFrame('a'), children: [4] },
      { id: 3, callFrame: callFrame('') },
      { id: 4, callFrame: callFrame('b', 8) },
      { id: 5, callFrame: callFrame('(idle)', -1) },
    ];
    const profile = { nodes, startTime: 0, endTime: 9, samples: [4, 2, 4, 3, 5], timeDeltas: [5, 1, 2, -3, 9] };
    assert.deepEqual(cpuSamples(profile), [
      { stack: [frame('b', 9), frame('a')], values: [2, 7000] },
      { stack: [frame('a')], values: [1, 1000] },
      { stack: [{ name: '(anonymous)', file: '.js', line: 1 }], values: [1, 0] },
    ]);
  });

  it('of allocations become stacks with objects and bytes', () => {
    const leaf = { id: 3, callFrame: callFrame('b'), selfSize: 300, children: [] };
    const middle = { id: 2, callFrame: callFrame('a'), selfSize: 0, children: [leaf] };
    const head = { id: 1, callFrame: callFrame('(root)', -1), selfSize: 40, children: [middle] };
    const samples = [1, 3, 3].map((nodeId) => ({ nodeId }));
    assert.deepEqual(heapSamples({ head, samples }), [
      { stack: [], values: [1, 40] },
      { stack: [frame('b'), frame('a')], values: [2, 300] },
    ]);
  });
});
