import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  connectionsOfPod,
  cutConnections,
  hasProxiedConnections,
  type PodSocket,
  parseSocketTable,
} from '../../../src/agent/pod-sockets.ts';
import type { RunCommand } from '../../../src/agent/run-command.ts';

const HEADER = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
const line = (local: string, state: string, inode = '7') =>
  `   0: ${local} 0B00F40A:D431 ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0`;

/** A namespace with these tables; `ss -K` empties it unless the kernel cannot. */
function namespace(table: string, canCut = true) {
  const calls: string[] = [];
  let current = table;
  const run: RunCommand = async (program, args) => {
    calls.push([program, ...args].join(' '));
    if (args.includes('grep')) return { status: 0, stdout: current, stderr: '' };
    if (canCut) current = HEADER;
    return { status: 0, stdout: '', stderr: '' };
  };
  return { run, calls };
}

describe('parseSocketTable', () => {
  it('reads addresses of both families, and those of IPv4 on a socket of IPv6', () => {
    const table = [
      HEADER,
      line('0100000A:1F90', '01'),
      line('000000FD000000000000000001000000:0050', '01'),
      line('0000000000000000FFFF00000100000A:0050', '08'),
    ].join('\n');
    assert.deepEqual(
      parseSocketTable(table).map(({ local }) => local),
      ['10.0.0.1:8080', '[fd00:0:0:0:0:0:0:1]:80', '[::ffff:10.0.0.1]:80'],
    );
  });

  it('does not count listeners and connections that have ended, and takes any text', () => {
    assert.deepEqual(parseSocketTable([HEADER, line('00000000:3AA0', '0A'), line('00:0', '06'), 'x'].join('\n')), []);
  });
});

describe('the connections of a pod', () => {
  for (const [port, name] of [
    ['3A99', '15001'],
    ['3A9E', '15006'],
    ['3AA0', '15008'],
  ] as const) {
    it(`are carried by ztunnel while one is open on ${name}`, async () => {
      assert.equal(await hasProxiedConnections('/pod', namespace(line(`0100007F:${port}`, '01')).run), true);
      assert.equal(await hasProxiedConnections('/pod', namespace(line(`0100007F:${port}`, '06')).run), false);
    });
  }

  it('are taken for carried when nobody can tell', async () => {
    assert.equal(await hasProxiedConnections('/nowhere', () => Promise.reject(new Error('gone'))), true);
  });

  it('are its own except for those on the loopback', async () => {
    const { run } = namespace([line('0100000A:1F90', '01'), line('0100007F:1F90', '01')].join('\n'));
    assert.deepEqual(
      (await connectionsOfPod('/pod', run)).map(({ local }) => local),
      ['10.0.0.1:8080'],
    );
  });
});

describe('cutConnections', () => {
  const socket: PodSocket = { local: '10.0.0.1:8080', remote: '10.244.0.11:54321', localPort: 8080, inode: '7' };

  it('ends what is still open, and only that', async () => {
    const { run, calls } = namespace(line('0100000A:1F90', '01'));
    const later = { ...socket, inode: '8' };
    assert.deepEqual(await cutConnections('/pod', [socket, later], run), { found: 1, left: 0 });
    assert.deepEqual(
      calls.filter((call) => call.includes('ss -K')),
      ['nsenter --net=/pod ss -K -t -n ( src 10.0.0.1:8080 and dst 10.244.0.11:54321 )'],
    );
  });

  it('says how many the kernel did not end', async () => {
    const { run } = namespace(line('0100000A:1F90', '01'), false);
    assert.deepEqual(await cutConnections('/pod', [socket], run), { found: 1, left: 1 });
  });

  it('runs nothing when all have ended by themselves', async () => {
    const { run, calls } = namespace(HEADER);
    assert.deepEqual(await cutConnections('/pod', [socket], run), { found: 0, left: 0 });
    assert.equal(calls.length, 1);
  });
});
