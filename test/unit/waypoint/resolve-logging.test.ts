import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../../src/base/logger.ts';
import type { AccessLogRule, MeshTelemetry, TelemetryProvider, TelemetryRules } from '../../../src/proto/gen/ambit.ts';
import type { LogReporters } from '../../../src/waypoint/reporting/log-reporters.ts';
import { resolveLogging } from '../../../src/waypoint/resolve-logging.ts';

const FILE = { path: '/dev/stdout', text: '', json: '', omitEmptyValues: false, defaultJson: false };
const provider = (name: string): TelemetryProvider => ({
  name,
  collector: undefined,
  kind: { $case: 'file', file: FILE },
});
const MESH: MeshTelemetry = {
  providers: [provider('a'), provider('b')],
  defaultTracing: '',
  defaultAccessLogging: [],
  tracingOff: false,
  samplingPercent: 1,
  maxTagLength: 256,
  accessLog: undefined,
};
const entry = (fields: Partial<AccessLogRule>): AccessLogRule => ({
  providers: [],
  disabled: false,
  filter: '',
  ...fields,
});

/** @returns the names of the logs that are written, with `own` for the waypoint's own line */
function logs(mesh: Partial<MeshTelemetry>, ...levels: (readonly AccessLogRule[])[]): string[] {
  const written: string[] = [];
  const lines = {
    of:
      ({ name }: TelemetryProvider) =>
      () =>
        void written.push(name.trim()),
  } as unknown as LogReporters;
  const rules = levels.map(
    (accessLogging): TelemetryRules => ({
      namespace: 'n',
      name: 'r',
      targets: [],
      createdMs: 0,
      tracing: undefined,
      metrics: [],
      accessLogging: [...accessLogging],
    }),
  );
  const plan = resolveLogging({ ...MESH, ...mesh }, rules, { logger: silentLogger, lines });
  for (const { write, filter } of plan.logs) {
    write({} as never);
    if (filter !== undefined) written.push('filtered');
  }
  return [...written, ...(plan.ownLine === undefined ? [] : ['own', ...(plan.ownLine.filter ? ['filtered'] : [])])];
}

describe('the access logs of a request', () => {
  it("are the waypoint's own line where nothing is configured", () => {
    assert.deepEqual(logs({}), ['own']);
  });

  it('are the file or the default providers of MeshConfig in its place', () => {
    assert.deepEqual(logs({ accessLog: FILE }), ['file']);
    assert.deepEqual(logs({ accessLog: FILE, defaultAccessLogging: ['a', 'b'] }), ['a', 'b']);
  });

  it('are those that the lowest object names', () => {
    assert.deepEqual(logs({}, [entry({ providers: ['a'] })]), ['a']);
    assert.deepEqual(logs({}, [entry({ providers: ['a'] })], [entry({ providers: ['b'] })]), ['b']);
    assert.deepEqual(logs({}, [entry({ providers: ['a'] }), entry({ providers: ['b'] })]), ['a', 'b']);
  });

  it('are filtered and ended by an object that names none', () => {
    const filter = 'response.code >= 400';
    assert.deepEqual(logs({}, [entry({ filter })]), ['own', 'filtered']);
    assert.deepEqual(logs({}, [entry({ disabled: true })]), []);
    assert.deepEqual(logs({ defaultAccessLogging: ['a'] }, [entry({ filter })]), ['a', 'filtered']);
    assert.deepEqual(logs({}, [entry({ providers: ['a', 'b'] })], [entry({ disabled: true })]), []);
    assert.deepEqual(logs({ defaultAccessLogging: ['a', 'b'] }, [entry({ disabled: true })], [entry({ filter })]), [
      'a',
      'filtered',
      'b',
      'filtered',
    ]);
  });

  it('are not filtered by what is not understood', () => {
    assert.deepEqual(logs({}, [entry({ filter: 'request.time > 1' })]), ['own']);
  });

  it('are none where the provider is not known', () => {
    assert.deepEqual(logs({}, [entry({ providers: ['c'] })]), []);
  });
});
