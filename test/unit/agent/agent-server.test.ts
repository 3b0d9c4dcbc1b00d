import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type AgentServerDeps, listenAgentHttp } from '../../../src/agent/agent-server.ts';
import { AmbitError } from '../../../src/base/errors.ts';
import { type Logger, silentLogger } from '../../../src/base/logger.ts';
import type { AgentPod } from '../../../src/model/agent-pod.ts';
import { httpOverUnix } from '../../helpers/http-over-unix.ts';

const POD: AgentPod = {
  uid: 'u1',
  name: 'a',
  namespace: 'b',
  serviceAccount: 'c',
  netns: '/run/netns/a',
  ips: ['10.0.0.1'],
  annotations: {},
};
const CMD_ADD = { Netns: '/n', PodName: 'a', PodNamespace: 'b', IPs: [{ Address: { IP: '10.0.0.1', Mask: '' } }] };

let folder = '';
let path = '';
let server: Server;
let calls: unknown[] = [];
let failure: Error | undefined;

async function start(extra: Partial<AgentServerDeps> = {}): Promise<void> {
  const call = async (...args: unknown[]) => {
    calls.push(args);
    if (failure !== undefined) throw failure;
  };
  server = await listenAgentHttp(path, {
    enroller: { add: (pod) => call('add', pod), remove: (uid, gone) => call('remove', uid, gone) },
    registry: {
      list: () => [{ pod: POD, netns: { fd: -1, id: { dev: 1n, ino: 1n } }, state: { kind: 'enrolled' as const } }],
    },
    log: silentLogger,
    ...extra,
  });
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'agent-'));
  path = join(folder, 'made', 'agent.sock');
  calls = [];
  failure = undefined;
});
afterEach(async () => {
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
  rmSync(folder, { recursive: true });
});

describe('the agent socket', () => {
  it('names the pod that it refuses in the log', async () => {
    const lines: unknown[] = [];
    const log: Logger = { ...silentLogger, warn: (message, fields) => lines.push([message, fields]) };
    failure = new AmbitError('AGENT_NOT_READY', 'not yet');
    await start({ log, cmdAdd: () => Promise.reject(failure) });
    assert.equal((await httpOverUnix(path, 'POST', '/cmdadd', JSON.stringify(CMD_ADD))).status, 503);
    assert.deepEqual(lines, [['request failed', { pod: 'b/a', error: 'not yet' }]]);
  });

  it('adds a pod, lists pods, and removes one', async () => {
    await start();
    assert.equal((await httpOverUnix(path, 'POST', '/pods', JSON.stringify(POD))).status, 200);
    assert.deepEqual(JSON.parse((await httpOverUnix(path, 'GET', '/pods')).body), [{ ...POD, state: 'enrolled' }]);
    assert.equal((await httpOverUnix(path, 'DELETE', '/pods/u%2F1')).status, 200);
    assert.equal((await httpOverUnix(path, 'DELETE', '/pods/u2?gone=true')).status, 200);
    assert.deepEqual(calls, [
      ['add', POD],
      ['remove', 'u/1', false],
      ['remove', 'u2', true],
    ]);
  });

  it('answers 500 with the diagnosis when the pod is not in the mesh', async () => {
    await start();
    failure = new AmbitError('ZDS_NO_CONNECTION', 'no ztunnel connection');
    assert.deepEqual(await httpOverUnix(path, 'POST', '/pods', JSON.stringify(POD)), {
      status: 500,
      body: 'no ztunnel connection',
    });
  });

  it('refuses bad bodies, large bodies and unknown paths without calling anything', async () => {
    await start();
    const answers = [
      await httpOverUnix(path, 'POST', '/pods', '{"uid":"u1"}'),
      await httpOverUnix(path, 'POST', '/pods', 'x'),
      await httpOverUnix(path, 'DELETE', '/pods/%E0%A4%A'),
      await httpOverUnix(path, 'GET', '/'),
    ];
    assert.deepEqual(
      answers.map(({ status }) => status),
      [400, 400, 400, 404],
    );
    assert.match(answers[0]?.body ?? '', /netns/);
    const large = await httpOverUnix(path, 'POST', '/pods', ' '.repeat(300_000)).catch(() => ({ status: 413 }));
    assert.equal(large.status, 413);
    assert.deepEqual(calls, []);
  });

  it('hands on what the CNI plugin says, and tells an agent that is not ready from a refusal', async () => {
    await start({
      cmdAdd: async (cmdAdd) => {
        calls.push(cmdAdd);
        if (failure !== undefined) throw failure;
      },
    });
    const add = () => httpOverUnix(path, 'POST', '/cmdadd', JSON.stringify(CMD_ADD));
    assert.equal((await add()).status, 200);
    assert.deepEqual(calls, [{ netns: '/n', name: 'a', namespace: 'b', uid: undefined, ips: ['10.0.0.1'] }]);
    failure = new AmbitError('POD_UNKNOWN', 'pod b/a is not known');
    assert.deepEqual(await add(), { status: 500, body: 'pod b/a is not known' });
    failure = new AmbitError('AGENT_NOT_READY', 'starting');
    assert.deepEqual(await add(), { status: 503, body: 'starting' });
  });

  it('does not know the CNI plugin on a node without Kubernetes', async () => {
    await start();
    assert.equal((await httpOverUnix(path, 'POST', '/cmdadd', JSON.stringify(CMD_ADD))).status, 404);
  });

  it('is for the owner only', async () => {
    await start();
    assert.equal(statSync(path).mode & 0o077, 0);
  });
});
