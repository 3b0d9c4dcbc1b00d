import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseCmdAdd, parsePod } from '../../../src/agent/request-schema.ts';
import { AmbitError } from '../../../src/base/errors.ts';

const POD = {
  uid: 'u1',
  name: 'a',
  namespace: 'b',
  serviceAccount: 'c',
  netns: '/run/netns/a',
  ips: ['10.0.0.1', 'fd00::1'],
  annotations: { 'ambient.istio.io/dns-capture': 'false' },
};
const CMD_ADD = {
  Netns: '/var/run/netns/a',
  PodName: 'a',
  PodNamespace: 'b',
  IPs: [{ Interface: 0, Address: { IP: '10.0.0.1', Mask: '////AA==' }, Gateway: '10.0.0.254' }],
};

describe('POST /pods body', () => {
  it('is taken as it is, annotations being optional', () => {
    assert.deepEqual(parsePod(JSON.stringify(POD)), POD);
    const { annotations: _, ...rest } = POD;
    assert.deepEqual(parsePod(JSON.stringify(rest)), { ...rest, annotations: {} });
  });

  it('is refused with the name of the field', () => {
    const bad: [object, RegExp][] = [
      [{ ...POD, uid: '' }, /uid/],
      [{ ...POD, ips: [] }, /ips/],
      [{ ...POD, ips: ['10.0.0.1', 'host'] }, /ips\[1\]: must be an IP address/],
      [{ ...POD, netns: 'run/netns/a' }, /netns: must be an absolute path/],
      [{ ...POD, annotations: { a: 1 } }, /annotations\.a/],
      [{ ...POD, hostNetwork: true }, /hostNetwork/],
      [{ ...POD, name: 'x'.repeat(300), namespace: 5 }, /name: .*namespace: /],
    ];
    for (const [body, message] of bad) {
      assert.throws(() => parsePod(JSON.stringify(body)), { code: 'REQUEST_INVALID', message });
    }
    assert.throws(() => parsePod('{'), { code: 'REQUEST_INVALID', message: /not JSON/ });
  });

  it('is refused when it is no object', () => {
    for (const body of ['null', '[]', '5', '"x"']) {
      assert.throws(() => parsePod(body), { code: 'REQUEST_INVALID' });
      assert.throws(() => parseCmdAdd(body), { code: 'REQUEST_INVALID' });
    }
  });

  it('never fails in another way', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (body) => {
        try {
          parsePod(body);
        } catch (error) {
          assert.ok(error instanceof AmbitError);
        }
      }),
    );
  });
});

describe('POST /cmdadd body', () => {
  it("is Go's JSON of the CNI result", () => {
    assert.deepEqual(parseCmdAdd(JSON.stringify(CMD_ADD)), {
      netns: '/var/run/netns/a',
      name: 'a',
      namespace: 'b',
      uid: undefined,
      ips: ['10.0.0.1'],
    });
    assert.equal(parseCmdAdd(JSON.stringify({ ...CMD_ADD, PodUID: 'u1' })).uid, 'u1');
  });

  it('is refused with the name of the field', () => {
    const body = JSON.stringify({ ...CMD_ADD, IPs: [{ Address: {} }] });
    assert.throws(() => parseCmdAdd(body), { code: 'REQUEST_INVALID', message: /IPs\[0\]\.Address\.IP/ });
  });
});
