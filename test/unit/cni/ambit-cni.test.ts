import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createRawServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, before, beforeEach, describe, it } from 'node:test';
import { buildCni, runCni } from '../../helpers/cni-plugin.ts';

const PREVIOUS = `{ "cniVersion":"1.0.0",  "interfaces":[{"name":"eth0","sandbox":"/x"}], "odd" : [1.50e+1,"\\u00e9\\/",null],
  "ips":[{"address":"10.244.1.7/24","gateway":"10.244.1.1","interface":0},{"address":"fd00::7/64"}]}`;
const ENVIRONMENT = {
  CNI_COMMAND: 'ADD',
  CNI_CONTAINERID: 'c1',
  CNI_IFNAME: 'eth0',
  CNI_NETNS: '/run/netns/a',
  CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=cart-0;K8S_POD_UID=u-1',
};

type Handler = (request: IncomingMessage, body: string, response: ServerResponse) => void;

describe('ambit-cni', () => {
  let folder = '';
  let server: Server | undefined;
  const requests: { route: string; body: string }[] = [];

  const config = (extra: object = {}, previous = PREVIOUS) => {
    const rest = { name: 'net', type: 'ambit-cni', cni_agent_run_dir: folder, state_dir: folder, ...extra };
    return `${JSON.stringify({ cniVersion: '1.0.0', ...rest }).slice(0, -1)},"prevResult":${previous}}`;
  };
  const listen = (handler: Handler) =>
    new Promise<void>((resolve) => {
      server = createServer((request, response) => {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => {
          const body = Buffer.concat(chunks).toString();
          requests.push({ route: `${request.method} ${request.url}`, body });
          handler(request, body, response);
        });
      });
      server.listen(join(folder, 'pluginevent.sock'), resolve);
    });
  const errorOf = (stdout: Buffer) =>
    JSON.parse(stdout.toString()) as { cniVersion: string; code: number; msg: string; details: string };
  const remember = (text: string) => writeFileSync(join(folder, 'namespaces'), `ambit-namespaces 1\n${text}`);

  before(buildCni);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ambit-cni-'));
    requests.length = 0;
  });
  afterEach(() => {
    server?.close();
    server?.closeAllConnections();
    server = undefined;
    rmSync(folder, { recursive: true });
  });

  it('posts what Istio posts, and passes the earlier result on byte for byte', async () => {
    await listen((_, __, response) => response.end());
    const { status, stdout } = await runCni(ENVIRONMENT, config());
    assert.equal(stdout.toString(), PREVIOUS);
    assert.equal(status, 0);
    assert.equal(requests[0]?.route, 'POST /cmdadd');
    assert.deepEqual(JSON.parse(requests[0]?.body ?? ''), {
      Netns: '/run/netns/a',
      PodName: 'cart-0',
      PodNamespace: 'shop',
      PodUID: 'u-1',
      IPs: [
        { Interface: 0, Address: { IP: '10.244.1.7', Mask: '////AA==' }, Gateway: '10.244.1.1' },
        { Interface: null, Address: { IP: 'fd00::7', Mask: '//////////8AAAAAAAAAAA==' }, Gateway: '' },
      ],
    });
  });

  it("fails with the agent's text when the agent refuses, also in a plain namespace", async () => {
    remember('plain shop\n');
    await listen((_, __, response) => response.writeHead(500).end('no ztunnel connection: "x"\n\u0007'));
    const { status, stdout } = await runCni(ENVIRONMENT, config());
    const { cniVersion, code, msg, details } = errorOf(stdout);
    assert.deepEqual([status, cniVersion, code], [1, '1.0.0', 100]);
    assert.match(msg, /pod shop\/cart-0/);
    assert.equal(details, 'no ztunnel connection: "x"\n\u0007 (HTTP 500)');
  });

  it('waits for an agent that is not ready yet', async () => {
    await listen((_, __, response) => response.writeHead(requests.length < 3 ? 503 : 200).end('starting'));
    const { status } = await runCni(ENVIRONMENT, config());
    assert.deepEqual([status, requests.length], [0, 3]);
  });

  it('lets pods of plain and excluded namespaces and of its own through without an agent', async () => {
    remember('enrolled shop2\nplain shop\nenrolled cart\n');
    const excluded = await runCni(
      { ...ENVIRONMENT, CNI_ARGS: 'K8S_POD_NAME=a;K8S_POD_NAMESPACE=kube-system' },
      config(),
    );
    const listed = await runCni(
      { ...ENVIRONMENT, CNI_ARGS: 'K8S_POD_NAME=a;K8S_POD_NAMESPACE=cart' },
      config({ exclude_namespaces: ['b', 'cart'] }),
    );
    const [plain, own] = await Promise.all([
      runCni(ENVIRONMENT, config()),
      runCni(
        { ...ENVIRONMENT, CNI_ARGS: 'K8S_POD_NAME=z;K8S_POD_NAMESPACE=istio-system' },
        config({ pod_namespace: 'istio-system' }),
      ),
    ]);
    for (const { status, stdout } of [excluded, listed, plain, own]) {
      assert.deepEqual([status, stdout.toString()], [0, PREVIOUS]);
    }
    assert.match(plain.stderr, /cannot connect/);
  });

  it('holds pods of enrolled and of unknown namespaces back without an agent, with the reason', async () => {
    remember('enrolled shop\nplain shop\nplain cart2\n');
    const [enrolled, unknown] = await Promise.all([
      runCni(ENVIRONMENT, config()),
      runCni({ ...ENVIRONMENT, CNI_ARGS: 'K8S_POD_NAME=a;K8S_POD_NAMESPACE=cart' }, config()),
    ]);
    assert.deepEqual([enrolled.status, errorOf(enrolled.stdout).code], [1, 11]);
    assert.match(errorOf(enrolled.stdout).details, /cannot connect.*in the mesh.*log$/);
    assert.match(errorOf(unknown.stdout).details, /not known to be outside/);
  });

  it('does not trust a list of namespaces in another format', async () => {
    writeFileSync(join(folder, 'namespaces'), 'ambit-namespaces 2\nplain shop\n');
    assert.equal((await runCni(ENVIRONMENT, config())).status, 1);
  });

  it('treats an agent that accepts and never answers like one that is away', async () => {
    remember('plain shop\n');
    const silent = createRawServer((socket) => socket.resume()).listen(join(folder, 'pluginevent.sock'));
    const { status, stderr } = await runCni(ENVIRONMENT, config());
    silent.close();
    assert.equal(status, 0);
    assert.match(stderr, /no answer within 5000 ms/);
  });

  it('passes containers on that are no pods', async () => {
    const { CNI_ARGS: _, ...environment } = ENVIRONMENT;
    assert.equal((await runCni(environment, config())).stdout.toString(), PREVIOUS);
  });

  it('says what is wrong with its input', async () => {
    const cases: [Record<string, string>, string, number, RegExp][] = [
      [ENVIRONMENT, '{', 6, /no JSON object/],
      [ENVIRONMENT, '[]', 6, /no JSON object/],
      [ENVIRONMENT, '{"cniVersion":"0.2.0"}', 1, /not supported/],
      [ENVIRONMENT, '{"cniVersion":"1.0.0"}', 7, /prevResult is missing/],
      [ENVIRONMENT, config({}, '{"ips":[]}'), 7, /no IP address/],
      [ENVIRONMENT, config({}, '{"ips":[{"address":"10.0.0.1/33"}]}'), 7, /no IP address/],
      [{ ...ENVIRONMENT, CNI_NETNS: '' }, config(), 4, /CNI_NETNS/],
      [{ ...ENVIRONMENT, CNI_ARGS: 'K8S_POD_NAME=a/b;K8S_POD_NAMESPACE=x' }, config(), 4, /names no pod/],
      [{ ...ENVIRONMENT, CNI_COMMAND: 'FETCH' }, config(), 4, /CNI_COMMAND/],
      [{}, config(), 4, /CNI_COMMAND/],
      [ENVIRONMENT, ' '.repeat(1 << 21), 5, /cannot read/],
      [ENVIRONMENT, `{"a":${'['.repeat(100)}${']'.repeat(100)}}`, 6, /no JSON object/],
    ];
    for (const [environment, input, code, message] of cases) {
      const { status, stdout } = await runCni(environment, input);
      assert.equal(status, 1, input.slice(0, 80));
      assert.equal(errorOf(stdout).code, code, input.slice(0, 80));
      assert.match(errorOf(stdout).msg, message);
      assert.notEqual(errorOf(stdout).details, '');
    }
  });

  it('has nothing to do on DEL, CHECK, GC and STATUS, whatever the input', async () => {
    for (const CNI_COMMAND of ['DEL', 'CHECK', 'GC', 'STATUS']) {
      const { status, stdout } = await runCni({ CNI_COMMAND }, '{');
      assert.deepEqual([status, stdout.length], [0, 0]);
    }
  });

  it('names the versions it knows', async () => {
    const { stdout } = await runCni({ CNI_COMMAND: 'VERSION' }, '{"cniVersion":"0.4.0"}');
    assert.deepEqual(JSON.parse(stdout.toString()), {
      cniVersion: '0.4.0',
      supportedVersions: ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'],
    });
  });
});
