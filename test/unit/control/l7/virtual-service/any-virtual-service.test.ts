import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readObject } from '../../../../../src/model/manifest/read-object.ts';
import { VIRTUAL_SERVICE_KIND } from '../../../../../src/model/schema/virtual-service-kind.ts';
import { CLASSIC_CONFIGURATIONS } from '../../../../helpers/classic-configurations.ts';
import { RouteLab, virtualService } from '../../../../helpers/route-lab.ts';
import { maximalSample } from '../../../../helpers/schema-sample.ts';

type Arbitraries = Readonly<Record<string, fc.Arbitrary<unknown>>>;

const some = (fields: Arbitraries, requiredKeys: string[] = []) => fc.record(fields, { requiredKeys });
const list = (item: fc.Arbitrary<unknown>) => fc.array(item, { maxLength: 3 });
const named = (entry: fc.Arbitrary<unknown>) =>
  fc.dictionary(fc.constantFrom('x-a', 'Host', ':authority', 'b', '__proto__', 'constructor', '8080'), entry, {
    maxKeys: 2,
  });
const word = fc.oneof(fc.constantFrom('/', '/a', '*', '%%', '%REQ(a)%', '', 'ä\u0000'), fc.string());
const integer = fc.oneof(fc.nat(65_535), fc.maxSafeInteger());
const duration = fc.constantFrom('0s', '1s', '1h', '99999999999999h', '1.5s', '2ms', '0.001s');
const percentage = some({ value: fc.oneof(fc.nat(100), fc.double({ min: 0, max: 100, noNaN: true })) });
const text = fc.oneof(
  word.map((exact) => ({ exact })),
  word.map((prefix) => ({ prefix })),
  fc.constantFrom({ regex: '.*' }, { regex: '*' }, {}),
);
const host = fc.constantFrom('web', 'next', 'nobody', 'web.demo', 'a.example', '10.0.0.1', '*.local', 'x'.repeat(60));
const destination = some({ host, subset: fc.constantFrom('v1', ''), port: some({ number: fc.nat(65_535) }) }, ['host']);
const changes = some({ set: named(word), add: named(word), remove: list(fc.constantFrom('a', 'X')) });
const headers = some({ request: changes, response: changes });
const route = list(some({ destination, weight: integer, headers }, ['destination']));
const source = {
  port: fc.constantFrom(80, 8080, 1),
  gateways: list(fc.constantFrom('mesh', 'edge')),
  sourceNamespace: fc.constantFrom('demo', 'x'),
  sourceLabels: fc.constantFrom({}, { a: 'b' }),
};
const conditions = { uri: text, scheme: text, method: text, authority: text, ...source };
const maps = {
  headers: named(text),
  withoutHeaders: named(text),
  queryParams: named(text),
  ignoreUriCase: fc.boolean(),
};
const rule = some({
  name: word,
  match: list(some({ ...conditions, ...maps, name: word })),
  route,
  redirect: some({ uri: word, prefixRewrite: word, authority: word, port: fc.nat(65_535), redirectCode: fc.nat(399) }),
  directResponse: some({ status: fc.integer({ min: 200, max: 599 }), body: some({ string: word }) }, ['status']),
  delegate: some({ name: fc.constantFrom('part', 'test'), namespace: fc.constantFrom('', 'demo') }),
  rewrite: some({ uri: word, authority: word, uriRegexRewrite: fc.constant({ match: '(a)', rewrite: '\\1' }) }),
  timeout: duration,
  retries: some({
    attempts: fc.oneof(integer, fc.integer()),
    perTryTimeout: duration,
    backoff: duration,
    retryOn: fc.constantFrom('', '5xx', '503, reset'),
  }),
  fault: some({
    delay: some({ percentage, percent: fc.nat(100), fixedDelay: duration }),
    abort: some({ percentage, httpStatus: fc.integer({ min: 200, max: 599 }) }),
  }),
  mirror: destination,
  mirrorPercent: fc.nat(100),
  mirrorPercentage: percentage,
  mirrors: list(some({ destination, percentage }, ['destination'])),
  corsPolicy: some({ allowOrigins: list(text), allowOrigin: list(word), maxAge: duration }),
  headers,
});
const l4 = some({
  match: list(some({ ...source, destinationSubnets: list(fc.constantFrom('0.0.0.0/0', '::/0')) })),
  route,
});
const spec = some({
  hosts: list(host),
  gateways: list(fc.constantFrom('mesh', 'edge')),
  http: list(rule),
  tcp: list(l4),
  exportTo: list(fc.constantFrom('.', 'demo')),
});

/** The spec with fields taken out until nothing is refused: what is random is seldom right as a whole. */
function accepted(given: unknown): unknown {
  const value = structuredClone(given) as Record<string, unknown>;
  for (let round = 0; round < 60; round++) {
    const reading = readObject(virtualService('test', value), () => ({ file: '', line: 0, column: 0 }));
    if (reading.kind !== 'refused') return value;
    const [problem] = reading.problems;
    const steps = (problem?.field ?? '')
      .replaceAll(/\[(\d+)\]/g, '.$1')
      .split('.')
      .slice(1);
    if (!takeOut(value, steps)) return undefined;
  }
  return undefined;
}

function takeOut(value: unknown, steps: readonly string[]): boolean {
  const [step, ...rest] = steps;
  if (step === undefined || typeof value !== 'object' || value === null) return false;
  const fields = value as Record<string, unknown>;
  if (rest.length > 0 && takeOut(fields[step], rest)) return true;
  return Object.hasOwn(fields, step) && Reflect.deleteProperty(fields, step) && !Array.isArray(value);
}

describe('whatever a VirtualService says, once it is accepted', () => {
  it('routes are built of it, and what they are is published', () => {
    let built = 0;
    fc.assert(
      fc.property(spec, (given) => {
        const value = accepted(given);
        if (value === undefined) return;
        const part = virtualService('part', { http: (value as { http?: object[] }).http ?? [] });
        const isPart = readObject(part, () => ({ file: '', line: 0, column: 0 })).kind === 'accepted';
        const lab = new RouteLab(virtualService('test', value), ...(isPart ? [part] : []));
        built += lab.ports().length;
      }),
      { numRuns: 400, seed: 7 },
    );
    assert.ok(built > 20, `only ${built} had routes`);
  });

  it('each action of the classic manifests survives being joined with each other field', () => {
    const sample = maximalSample(VIRTUAL_SERVICE_KIND.spec) as { http: Record<string, unknown>[] };
    for (const [kind, , classic] of CLASSIC_CONFIGURATIONS) {
      if (kind !== 'VirtualService') continue;
      for (const [name, field] of Object.entries(sample.http[0] ?? {})) {
        const http = ((classic as { http?: object[] }).http ?? []).map((one) => ({ ...one, [name]: field }));
        const value = accepted({ ...classic, http });
        if (value !== undefined) assert.doesNotThrow(() => new RouteLab(virtualService('test', value)));
      }
    }
  });
});
