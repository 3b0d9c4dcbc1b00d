/** Traces and access logs of waypoints: a real Zipkin and a receiver of OTLP in pods of `ambit up`. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from '../helpers/eventually.ts';
import { LocalMesh } from '../helpers/local-mesh.ts';
import { type ZipkinSpan, zipkinCommand } from '../helpers/zipkin.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const OTLP = fileURLToPath(new URL('../../src/proto/gen/otlp.ts', import.meta.url));

/** Asks the next service, if there is one, with the trace headers that it got, as applications have to. */
const SITE = `
const next = process.argv[1];
const COPIED = ['x-request-id', 'traceparent', 'tracestate', 'b3', 'x-b3-traceid', 'x-b3-spanid', 'x-b3-parentspanid', 'x-b3-sampled', 'x-b3-flags'];
require('http').createServer(async (req, res) => {
  const headers = Object.fromEntries(COPIED.filter((name) => name in req.headers).map((name) => [name, req.headers[name]]));
  const behind = next ? await (await fetch('http://' + next + '/deeper', { headers })).json() : [];
  res.writeHead(req.url.startsWith('/broken') ? 500 : 200);
  res.end(JSON.stringify([req.headers, ...behind]));
}).listen(8080, '::');`;

/** Asks once; prints the status and what each service saw. */
const ASK = `
const [url, headers] = process.argv.slice(1);
fetch(url, { headers: JSON.parse(headers) }).then(async (r) => console.log(JSON.stringify([r.status, await r.json()])));`;

/** Takes OTLP by HTTP on 4318 and by gRPC on 4317, and answers with all of it on 8000. */
const RECEIVER = `
const grpc = require(require.resolve('@grpc/grpc-js', { paths: [${JSON.stringify(ROOT)}] }));
const http = require('http');
const taken = [];
import(${JSON.stringify(OTLP)}).then(({ ExportTraceServiceRequest, ExportLogsServiceRequest }) => {
  const hex = (bytes) => Buffer.from(bytes).toString('hex');
  const text = (list) => Object.fromEntries(list.map(({ key, value }) => [key, value.value.stringValue]));
  const take = (via, bytes) => {
    for (const { resource, scopeSpans } of ExportTraceServiceRequest.decode(bytes).resourceSpans)
      for (const span of scopeSpans.flatMap(({ spans }) => spans))
        taken.push({ via, resource: text(resource.attributes), traceId: hex(span.traceId), id: hex(span.spanId), parentId: hex(span.parentSpanId),
          state: span.traceState, name: span.name, kind: span.kind, micros: Number((span.endTimeUnixNano - span.startTimeUnixNano) / 1000n), tags: text(span.attributes), code: span.status?.code ?? 0 });
  };
  const takeLogs = (bytes) => {
    for (const { resource, scopeLogs } of ExportLogsServiceRequest.decode(bytes).resourceLogs)
      for (const line of scopeLogs.flatMap(({ logRecords }) => logRecords))
        taken.push({ via: 'logs', resource: text(resource.attributes), traceId: hex(line.traceId), body: line.body?.value?.stringValue, tags: text(line.attributes) });
  };
  http.createServer(async (req, res) => {
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    if (req.method !== 'POST' || req.url !== '/v1/traces' || req.headers['content-type'] !== 'application/x-protobuf') return res.writeHead(400).end();
    take(req.headers['x-tenant'] ?? 'http', Buffer.concat(chunks));
    res.writeHead(200).end();
  }).listen(4318, '::');
  const raw = (value) => Buffer.from(value);
  const method = (path) => ({ path, requestStream: false, responseStream: false, requestSerialize: raw, requestDeserialize: raw, responseSerialize: raw, responseDeserialize: raw });
  const server = new grpc.Server();
  const answer = (taker) => ({ request }, done) => { taker(request); done(null, Buffer.alloc(0)); };
  server.addService({ Export: method('/opentelemetry.proto.collector.trace.v1.TraceService/Export') }, { Export: answer((bytes) => take('grpc', bytes)) });
  server.addService({ Export: method('/opentelemetry.proto.collector.logs.v1.LogsService/Export') }, { Export: answer(takeLogs) });
  server.bindAsync('[::]:4317', grpc.ServerCredentials.createInsecure(), () => 0);
  http.createServer((_, res) => res.end(JSON.stringify(taken.slice(-30)))).listen(8000, '::');
});`;

interface OtlpLine {
  readonly via: string;
  readonly resource: Readonly<Record<string, string>>;
  readonly body: string;
  readonly tags: Readonly<Record<string, string>>;
}

interface OtlpSpan {
  readonly via: string;
  readonly resource: Readonly<Record<string, string>>;
  readonly traceId: string;
  readonly id: string;
  readonly parentId: string;
  readonly state: string;
  readonly name: string;
  readonly kind: number;
  readonly micros: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly code: number;
}

const NS = 'shop';
const ambient = { 'istio.io/dataplane-mode': 'ambient' };
const SITES = ['front', 'middle', 'back'] as const;
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const CALLER = 'b7ad6b7169203331';

function object(apiVersion: string, kind: string, name: string, namespace: string, rest: object): object {
  return { apiVersion, kind, metadata: { name, namespace }, ...rest };
}

const namespaces = [NS, 'observe'].map((name) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels: ambient },
}));

function gateway(name: string): object {
  const listeners = [{ name: 'mesh', port: 15008, protocol: 'HBONE' }];
  const spec = { gatewayClassName: 'istio-waypoint', listeners };
  return object('gateway.networking.k8s.io/v1', 'Gateway', `gate-${name}`, NS, { spec });
}

function service(name: string, namespace: string, waypoint: string | undefined, ports: readonly object[]): object {
  const labels = waypoint === undefined ? {} : { 'istio.io/use-waypoint': waypoint };
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, labels },
    spec: { selector: { app: name }, ports },
  };
}

function pod(name: string, namespace: string, command: readonly string[], port?: number): object {
  const readinessProbe = port === undefined ? undefined : { tcpSocket: { port }, periodSeconds: 1 };
  const containers = [{ name: 'main', image: 'none', command, ...(readinessProbe && { readinessProbe }) }];
  const metadata = { name, namespace, labels: { app: name } };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { serviceAccountName: name, containers } };
}

const OBSERVE = 'observe.svc.cluster.local';
const PROVIDERS = [
  { name: 'zipkin', zipkin: { service: `observe/zipkin.${OBSERVE}`, port: 9411 } },
  {
    name: 'otlp-http',
    opentelemetry: {
      service: `receiver.${OBSERVE}`,
      port: 4318,
      http: { path: '/v1/traces', headers: [{ name: 'x-tenant', value: 'acme' }] },
    },
  },
  { name: 'otlp-grpc', opentelemetry: { service: `receiver.${OBSERVE}`, port: 4317 } },
  {
    name: 'otlp-logs',
    envoyOtelAls: {
      service: `receiver.${OBSERVE}`,
      port: 4317,
      logName: 'shop',
      logFormat: { text: '%REQ(:METHOD)% %RESPONSE_CODE%', labels: { path: '%REQ(:PATH)%' } },
    },
  },
  {
    name: 'json',
    envoyFileAccessLog: {
      path: '/dev/stdout',
      logFormat: { labels: { marked: '%REQ(X-MARK)%', code: '%RESPONSE_CODE%', agent: '%REQ(USER-AGENT)%' } },
    },
  },
  { name: 'gone', zipkin: { service: `gone.${OBSERVE}`, port: 9411 } },
];

function meshConfig(rest: object): object {
  const mesh = JSON.stringify({ extensionProviders: PROVIDERS, ...rest });
  return object('v1', 'ConfigMap', 'istio', 'istio-system', { data: { mesh } });
}

function telemetry(name: string, namespace: string, spec: object): object {
  return object('telemetry.istio.io/v1', 'Telemetry', name, namespace, { spec });
}

const all = (provider: string, more: object = {}) =>
  telemetry('mesh', 'istio-system', {
    tracing: [{ providers: [{ name: provider }], randomSamplingPercentage: 100, ...more }],
  });

describe('traces of waypoints', { timeout: 170_000 }, () => {
  const mesh = new LocalMesh();
  const run = async (namespace: string, name: string, ...command: readonly string[]) =>
    (await mesh.exec(name, '-n', namespace, '--', ...command)).stdout.trim();
  /** Prints the status, and the headers that each service on the way saw. */
  const ask = async (path = '/', headers: Record<string, string> = {}) => {
    const answer = await run(NS, 'client', 'node', '-e', ASK, `http://front${path}`, JSON.stringify(headers));
    return JSON.parse(answer) as [number, Record<string, string>[]];
  };
  const json = async (url: string) => {
    const answer = await run('observe', 'receiver', 'curl', '-sf', '-m', '5', url);
    return answer === '' ? undefined : (JSON.parse(answer) as unknown);
  };
  const zipkinTrace = async (id: string) =>
    ((await json(`http://zipkin.observe:9411/api/v2/trace/${id}`)) ?? []) as ZipkinSpan[];
  const otlp = async () => ((await json('http://127.0.0.1:8000/')) ?? []) as OtlpSpan[];
  /** Asks until the waypoints follow the configuration, then once more. @returns what the services saw */
  const traced = async (inForce: (seen: Record<string, string>) => boolean, headers: Record<string, string> = {}) => {
    await eventually('the configuration', async () => (await ask())[1].every(inForce));
    return (await ask('/shelf?id=7', headers))[1];
  };

  before(async () => {
    mesh.write('mesh-config.yaml', meshConfig({ defaultProviders: { tracing: ['zipkin'] } }));
    mesh.write(
      'mesh.yaml',
      ...namespaces,
      ...SITES.map(gateway),
      ...SITES.map((name) => service(name, NS, `gate-${name}`, [{ name: 'http', port: 80, targetPort: 8080 }])),
      service('zipkin', 'observe', undefined, [{ name: 'http', port: 9411 }]),
      service('gone', 'observe', undefined, [{ name: 'http', port: 9411 }]),
      service('receiver', 'observe', undefined, [
        { name: 'http', port: 4318 },
        { name: 'grpc', port: 4317 },
      ]),
    );
    mesh.write(
      'pods.yaml',
      pod('front', NS, ['node', '-e', SITE, 'middle'], 8080),
      pod('middle', NS, ['node', '-e', SITE, 'back'], 8080),
      pod('back', NS, ['node', '-e', SITE], 8080),
      pod('client', NS, ['sleep', 'infinity']),
      pod('zipkin', 'observe', zipkinCommand(), 9411),
      pod('receiver', 'observe', [process.execPath, '-e', RECEIVER], 8000),
    );
    await mesh.up(9, '--nodes', '2');
  });
  after(() => mesh[Symbol.asyncDispose]());

  it('are one trace over three services, with parents, names and tags, in Zipkin', async () => {
    mesh.write(
      'telemetry.yaml',
      all('zipkin', {
        customTags: {
          shelf: { literal: { value: 'top' } },
          caller: { header: { name: 'x-caller', defaultValue: 'nobody' } },
        },
      }),
    );
    const seen = await traced((headers) => headers['x-b3-sampled'] === '1', {
      'x-caller': 'kim',
      'user-agent': 'test',
    });
    assert.equal(seen.length, 3);
    const traceId = seen[0]?.['x-b3-traceid'] ?? '';
    assert.match(traceId, /^[0-9a-f]{32}$/);
    assert.deepEqual(
      seen.map((headers) => headers['x-b3-traceid']),
      [traceId, traceId, traceId],
    );
    let spans: ZipkinSpan[] = [];
    await eventually('the trace in Zipkin', async () => {
      spans = await zipkinTrace(traceId);
      return spans.length === 3;
    });
    const [front, middle, back] = SITES.map((site) =>
      spans.find(({ localEndpoint }) => localEndpoint.serviceName === `gate-${site}.${NS}`),
    );
    assert.ok(front && middle && back, JSON.stringify(spans));
    assert.equal(front.parentId, undefined);
    assert.equal(middle.parentId, front.id);
    assert.equal(back.parentId, middle.id);
    assert.deepEqual(
      seen.map((headers) => headers['x-b3-spanid']),
      [front.id, middle.id, back.id],
    );
    assert.deepEqual(
      [front.name, middle.name, back.name],
      SITES.map((site) => `${site}.shop.svc.cluster.local:80/*`),
    );
    assert.ok(spans.every(({ kind }) => kind === 'SERVER'));
    assert.ok(front.duration >= middle.duration && middle.duration >= back.duration);
    const { tags } = front;
    assert.equal(tags['component'], 'proxy');
    assert.equal(tags['http.url'], 'http://front/shelf?id=7');
    assert.equal(tags['http.method'], 'GET');
    assert.equal(tags['http.protocol'], 'HTTP/1.1');
    assert.equal(tags['http.status_code'], '200');
    assert.equal(tags['response_flags'], '-');
    assert.equal(tags['user_agent'], 'test');
    assert.equal(tags['guid:x-request-id'], seen[0]?.['x-request-id']);
    assert.equal(tags['upstream_cluster'], 'outbound|80||front.shop.svc.cluster.local');
    assert.match(tags['upstream_address'] ?? '', /^[0-9.]+:8080$/);
    assert.match(tags['node_id'] ?? '', /^waypoint~.*~shop\.svc\.cluster\.local$/);
    assert.equal(tags['istio.canonical_service'], 'gate-front');
    assert.equal(tags['istio.source_workload'], 'client');
    assert.equal(tags['istio.destination_workload'], 'front');
    assert.equal(middle.tags['istio.source_workload'], 'front');
    assert.equal(tags['shelf'], 'top');
    assert.equal(tags['caller'], 'kim');
    assert.equal(back.tags['caller'], 'nobody');
    assert.equal(tags['error'], undefined);
  });

  it('say which request failed, and continue the trace of the client', async () => {
    const [status] = await ask('/broken', { b3: `${TRACE}-${CALLER}-1` });
    assert.equal(status, 500);
    let spans: ZipkinSpan[] = [];
    await eventually('the trace in Zipkin', async () => {
      spans = await zipkinTrace(TRACE);
      return spans.length === 3;
    });
    const front = spans.find(({ localEndpoint }) => localEndpoint.serviceName === 'gate-front.shop');
    assert.equal(front?.parentId, CALLER);
    assert.equal(front?.tags['error'], 'true');
    assert.equal(front?.tags['http.status_code'], '500');
  });

  it('are not there for a request that was decided not to be traced, which goes on as it came', async () => {
    const parent = `00-${'c'.repeat(32)}-${CALLER}-00`;
    const [, seen] = await ask('/', { traceparent: parent });
    assert.deepEqual(
      seen.map(({ traceparent }) => traceparent),
      [parent, parent, parent],
    );
    assert.ok(seen.every((headers) => !('x-b3-traceid' in headers)));
  });

  for (const [provider, via] of [
    ['otlp-http', 'acme'],
    ['otlp-grpc', 'grpc'],
  ] as const) {
    it(`reach a collector of OpenTelemetry: ${provider}`, async () => {
      mesh.write('telemetry.yaml', all(provider));
      await traced((headers) => headers['traceparent']?.endsWith('-01') === true && !('x-b3-traceid' in headers));
      const trace = provider === 'otlp-http' ? 'd'.repeat(32) : 'e'.repeat(32);
      const [, seen] = await ask('/broken?a=b', { traceparent: `00-${trace}-${CALLER}-01`, tracestate: 'vendor=1' });
      let spans: OtlpSpan[] = [];
      await eventually('the spans', async () => {
        spans = (await otlp()).filter(({ traceId }) => traceId === trace);
        return spans.length === 3;
      });
      const [front, middle, back] = SITES.map((site) =>
        spans.find(({ resource }) => resource['service.name'] === `gate-${site}.${NS}`),
      );
      assert.ok(front && middle && back, JSON.stringify(spans));
      assert.deepEqual([front.parentId, middle.parentId, back.parentId], [CALLER, front.id, middle.id]);
      assert.ok(
        spans.every((span) => span.via === via && span.kind === 2 && span.state === 'vendor=1' && span.micros > 0),
      );
      assert.deepEqual([front.code, middle.code, back.code], [2, 0, 0]);
      assert.equal(front.name, 'front.shop.svc.cluster.local:80/*');
      assert.equal(front.tags['http.status_code'], '500');
      assert.deepEqual(
        seen.map(({ tracestate }) => tracestate),
        ['vendor=1', 'vendor=1', 'vendor=1'],
      );
    });
  }

  it('that nobody takes fail no request, and the log says so', async () => {
    mesh.write('telemetry.yaml', all('gone'));
    await traced((headers) => headers['x-b3-sampled'] === '1');
    for (let count = 0; count < 20; count++) assert.equal((await ask())[0], 200);
    await eventually('a line in the log', () => /a collector cannot be told.*gone/.test(mesh.log(/gate-front/)));
  });

  it('are off where the provider is not known, which the log says', async () => {
    mesh.write('telemetry.yaml', all('nobody'));
    await eventually('requests without traces', async () => {
      const [status, seen] = await ask();
      return status === 200 && seen.every((headers) => !('x-b3-traceid' in headers));
    });
    assert.match(await mesh.settledLog(/gate-front/), /nothing is traced.*nobody/);
  });

  describe('and access logs', () => {
    const logged = (text: RegExp) =>
      mesh
        .log(/_gate-front/)
        .split('\n')
        .filter((line) => text.test(line));

    it('are in the default format of Istio where accessLogFile says so', async () => {
      mesh.remove('telemetry.yaml');
      mesh.write('mesh-config.yaml', meshConfig({ accessLogFile: '/dev/stdout' }));
      const line =
        /"GET \/plain\?a=b HTTP\/1\.1" 200 - via_upstream - "-" 0 \d+ \d+ \d+ "[0-9.]+" "node" "[0-9a-f-]{36}" "front" "[0-9.]+:8080" outbound\|80\|\|front\.shop\.svc\.cluster\.local - [0-9.]+:80 [0-9.]+:\d+ - -$/;
      await eventually('a line', async () => {
        await ask('/plain?a=b');
        return logged(line).length > 0;
      });
      assert.match(logged(line)[0] ?? '', /^\[\d{4}-\d\d-\d\dT[\d:.]+Z\] /);
    });

    it('are JSON by a provider, of the requests that a filter wants, and one line whatever a client sends', async () => {
      const filter = { expression: "has(request.headers['x-mark']) && response.code >= 500" };
      mesh.write(
        'telemetry.yaml',
        telemetry('mesh', 'istio-system', { accessLogging: [{ providers: [{ name: 'json' }], filter }] }),
      );
      const evil = '"} {"marked":"evil';
      await eventually('a line', async () => {
        await ask('/broken', { 'x-mark': 'sentinel' });
        return logged(/"marked":"sentinel"/).length > 0;
      });
      await ask('/fine', { 'x-mark': 'fine' });
      await ask('/broken', { 'x-mark': 'last', 'user-agent': evil });
      await eventually('the last line', () => logged(/"marked":"last"/).length === 1);
      assert.deepEqual(JSON.parse(logged(/"marked":"last"/)[0] ?? ''), { marked: 'last', code: 500, agent: evil });
      assert.deepEqual(logged(/"marked":"fine"/), []);
    });

    it('reach a collector of OpenTelemetry', async () => {
      mesh.write(
        'telemetry.yaml',
        telemetry('mesh', 'istio-system', { accessLogging: [{ providers: [{ name: 'otlp-logs' }] }] }),
      );
      await eventually('a line', async () => {
        await ask('/to-otlp');
        return ((await otlp()) as unknown as OtlpLine[]).some(
          ({ via, body, tags, resource }) =>
            via === 'logs' && body === 'GET 200' && tags['path'] === '/to-otlp' && resource['log_name'] === 'shop',
        );
      });
    });
  });

  it('and metrics have the labels that a Telemetry object of the service wants', async () => {
    const tagOverrides = {
      route_name: { value: 'xds.route_name' },
      mark: { value: "request.headers['x-mark']" },
      source_principal: { operation: 'REMOVE' },
    };
    const overrides = [
      { match: { metric: 'REQUEST_COUNT' }, tagOverrides },
      { match: { metric: 'REQUEST_SIZE' }, disabled: true },
    ];
    const targetRefs = [{ group: '', kind: 'Service', name: 'front' }];
    const match = { path: { type: 'Exact', value: '/named' } };
    const rules = [{ name: 'named', matches: [match], backendRefs: [{ name: 'front', port: 80 }] }];
    const parentRefs = [{ group: '', kind: 'Service', name: 'front' }];
    mesh.write(
      'route.yaml',
      object('gateway.networking.k8s.io/v1', 'HTTPRoute', 'named', NS, { spec: { parentRefs, rules } }),
    );
    mesh.write('telemetry.yaml', telemetry('front', NS, { targetRefs, metrics: [{ overrides }] }));
    const gate = mesh.readyPods().find(({ name }) => name.startsWith('gate-front'))?.name ?? '';
    const metrics = () => run(NS, gate, 'curl', '-s', 'http://127.0.0.1:15020/stats/prometheus');
    let counted: string[] = [];
    await eventually('the labels', async () => {
      await ask('/named', { 'x-mark': 'here' });
      counted = (await metrics()).split('\n').filter((line) => /^istio_requests_total.*mark="here"/.test(line));
      return counted.length > 0;
    });
    assert.match(counted[0] ?? '', /route_name="[^"]*named[^"]*"/);
    assert.doesNotMatch(counted[0] ?? '', /source_principal=/);
  });
});
