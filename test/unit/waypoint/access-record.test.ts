import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hideParams } from '../../../src/authn/query-params.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { createService } from '../../../src/model/service.ts';
import { AccessRecord } from '../../../src/waypoint/access-record.ts';
import { RequestFields } from '../../../src/waypoint/request-fields.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';
import { silentTelemetry, unknownClient } from '../../helpers/silent-telemetry.ts';

const service = createService({ namespace: 'shop', hostname: 'cart.shop', ipFamilies: 'IPv4' });

/** What of a target may be written down. */
function shown(target: string, rules: { readonly params: readonly string[] } | undefined): string {
  const connection = {
    target: { kind: 'service' as const, service, port: 80 },
    client: unknownClient,
    clientAddress: '10.0.0.1:1000',
    subject: { identity: { trustDomain: 'cluster.local', namespace: 'shop', serviceAccount: 'web' } },
    tokenRules: () => rules,
  };
  const deps = {
    clock: new ManualClock(),
    accessLog: silentLogger,
    tapLog: silentLogger,
    telemetry: silentTelemetry,
  };
  const request = new RequestFields([
    [':method', 'GET'],
    [':path', target],
  ]);
  return hideParams(target, new AccessRecord(request, connection, deps, { onRecorded: () => undefined }).hiddenParams);
}

describe('the record of a request', () => {
  it('hides an access token, whether or not a rule here asks for it', () => {
    const hidden = '/a?access_token=[hidden]&n=1';
    assert.equal(shown('/a?access_token=secret&n=1', undefined), hidden);
    assert.equal(shown('/a?access_token=secret&n=1', { params: [] }), hidden);
    assert.equal(shown('/a?access_token=secret&n=1', { params: ['access_token'] }), hidden);
  });

  it('hides the parameters that rules name as well', () => {
    assert.equal(shown('/a?jwt=one&access_token=two', { params: ['jwt'] }), '/a?jwt=[hidden]&access_token=[hidden]');
    assert.equal(shown('/a?jwt=one', undefined), '/a?jwt=one');
  });
});
