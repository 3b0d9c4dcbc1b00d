import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEFAULT_MESH_OPTIONS } from '../../../../src/control/mesh-options.ts';
import { parseMeshConfig } from '../../../../src/model/mesh-config.ts';
import { MESH_TELEMETRY_TYPE, TELEMETRY_RULES_TYPE } from '../../../../src/model/waypoint-feed.ts';
import { MeshTelemetry, TelemetryRules } from '../../../../src/proto/gen/ambit.ts';
import { object } from '../../../helpers/manifests.ts';
import { RouteLab } from '../../../helpers/route-lab.ts';

const CONFIG = `
defaultProviders: {tracing: [zipkin]}
defaultConfig: {tracing: {sampling: 5}}
extensionProviders:
- name: zipkin
  zipkin: {service: zipkin.observe.svc.cluster.local, port: 9411}
- name: sky
  skywalking: {service: sky.observe.svc.cluster.local, port: 11800}
`;

const telemetry = (name: string, spec: object, meta: Record<string, unknown> = {}) =>
  object('telemetry.istio.io/v1', 'Telemetry', name, spec, meta);
const tracing = (provider: string) => ({ tracing: [{ providers: [{ name: provider }] }] });

function lab(...objects: unknown[]): RouteLab {
  const made = new RouteLab(...objects);
  const parsed = parseMeshConfig(CONFIG);
  assert.ok(parsed.ok);
  made.model.setMesh({ ...DEFAULT_MESH_OPTIONS, telemetry: parsed.value.telemetry });
  return made;
}

const noteOf = (made: RouteLab, name = 't', owner = 'demo') => made.model.notes.get(`Telemetry/${owner}/${name}`);

function rulesOf(made: RouteLab): Map<string, TelemetryRules> {
  const store = made.model.waypointStores.get(TELEMETRY_RULES_TYPE);
  const value = (name: string) => store?.get(name)?.value ?? Buffer.alloc(0);
  return new Map([...(store?.names() ?? [])].map((name) => [name, TelemetryRules.decode(value(name))]));
}

describe('a Telemetry object', () => {
  it('is for the mesh, a namespace, or what it names', () => {
    const targetRefs = [{ group: '', kind: 'Service', name: 'web' }];
    const made = lab(
      telemetry('all', {}, { namespace: 'istio-system' }),
      telemetry('own', {}),
      telemetry('web', { targetRefs }),
    );
    const rules = rulesOf(made);
    assert.deepEqual(rules.get('istio-system/all')?.targets, ['Mesh']);
    assert.deepEqual(rules.get('demo/own')?.targets, ['Namespace/demo']);
    assert.deepEqual(rules.get('demo/web')?.targets, ['Service/demo/web']);
  });

  it('is for the waypoints that its selector chooses', () => {
    const byName = { 'gateway.networking.k8s.io/gateway-name': 'waypoint' };
    const made = lab(telemetry('t', { selector: { matchLabels: { app: 'web' } } }));
    assert.equal(noteOf(made), 'it concerns no waypoint, and nobody else reads it');
    const chosen = lab(telemetry('t', { selector: { matchLabels: byName } }));
    assert.deepEqual(rulesOf(chosen).get('demo/t')?.targets, ['Gateway/demo/waypoint']);
    assert.equal(noteOf(chosen), undefined);
  });

  it('whose provider is not known, or not for this, is remarked on', () => {
    const at = 'spec.tracing[0].providers: ';
    assert.equal(noteOf(lab(telemetry('t', tracing('zipkin')))), undefined);
    assert.equal(
      noteOf(lab(telemetry('t', tracing('no')))),
      `${at}MeshConfig has no extension provider "no": nothing is traced`,
    );
    assert.equal(
      noteOf(lab(telemetry('t', tracing('sky')))),
      `${at}extension provider "sky" is of kind skywalking, which waypoints do not use here: nothing is traced`,
    );
  });

  it('is told of an older one for the same namespace, as long as there is one', () => {
    const made = lab(telemetry('b', {}), telemetry('a', {}));
    assert.equal(noteOf(made, 'a'), undefined);
    assert.equal(noteOf(made, 'b'), 'Telemetry a is for the whole namespace too, and older');
    made.remove(telemetry('a', {}));
    assert.equal(noteOf(made, 'b'), undefined);
  });

  it('is told that the environment of a waypoint is not read', () => {
    const customTags = { key: { environment: { name: 'AUTH_TOKEN' } }, pod: { environment: { name: 'POD_NAME' } } };
    const note = noteOf(lab(telemetry('t', { tracing: [{ customTags }] })));
    assert.match(note ?? '', /^spec\.tracing\[0\]\.customTags\.key: .*the default value stands for AUTH_TOKEN$/);
  });

  it('is told of a filter that is not understood, and of a provider that takes no lines', () => {
    const accessLogging = [
      { filter: { expression: 'response.code >= 400' } },
      { filter: { expression: 'request.time > 1' } },
      { providers: [{ name: 'zipkin' }] },
    ];
    assert.equal(
      noteOf(lab(telemetry('t', { accessLogging }))),
      'spec.accessLogging[1].filter.expression asks for request.time, which waypoints do not know: all requests are ' +
        'logged; spec.accessLogging[2].providers: extension provider "zipkin" is of another kind, which waypoints do ' +
        'not use here: nothing is logged there',
    );
  });

  it('is told of metrics and labels that waypoints do not change', () => {
    const overrides = [
      { match: { metric: 'TCP_SENT_BYTES' }, disabled: true },
      {
        tagOverrides: { le: { value: 'response.code' }, when: { value: 'request.time' }, app: { operation: 'REMOVE' } },
      },
    ];
    assert.equal(
      noteOf(lab(telemetry('t', { metrics: [{ overrides }] }))),
      'spec.metrics: overrides of TCP_SENT_BYTES have no effect at waypoints; spec.metrics: tagOverrides.le cannot be ' +
        'the name of a label; spec.metrics: tagOverrides.when.value asks for request.time, which waypoints do not ' +
        'know: the label is left as it is',
    );
  });

  it('for clients alone has no effect', () => {
    const note = noteOf(lab(telemetry('t', { tracing: [{ match: { mode: 'CLIENT' }, ...tracing('no').tracing[0] }] })));
    assert.equal(note, 'spec.tracing: an entry for clients alone has no effect at waypoints');
  });
});

describe('MeshConfig', () => {
  it('comes to waypoints with what it says of traces', () => {
    const stored = lab().model.waypointStores.get(MESH_TELEMETRY_TYPE)?.get('mesh');
    const mesh = MeshTelemetry.decode(stored?.value ?? Buffer.alloc(0));
    assert.equal(mesh.defaultTracing, 'zipkin');
    assert.equal(mesh.samplingPercent, 5);
    const zipkin = mesh.providers.find(({ name }) => name === 'zipkin');
    assert.equal(zipkin?.collector?.hostname, 'zipkin.observe.svc.cluster.local');
    assert.deepEqual(zipkin?.kind, {
      $case: 'zipkin',
      zipkin: { path: '/api/v2/spans', alsoW3c: false, maxTagLength: 0, shortTraceIds: false },
    });
  });

  it('with a provider that has no port, or a bad path, is refused with the field', () => {
    const parsed = parseMeshConfig('extensionProviders: [{name: z, zipkin: {service: z.ns.svc, path: "x y"}}]');
    assert.equal(
      parsed.ok ? '' : parsed.error,
      'extensionProviders[0].zipkin.port is required; extensionProviders[0].zipkin.path is no path that starts with "/"',
    );
  });
});
