import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { DeltaDiscoveryRequest } from '../../../../src/proto/gen/discovery.ts';
import { decodeRequest } from '../../../../src/xds/server/decode-request.ts';
import { feedRequest } from '../../../helpers/feed-client.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 200 });

function encoded(fields: Parameters<typeof feedRequest>[0]): Buffer {
  return Buffer.from(DeltaDiscoveryRequest.encode(feedRequest(fields)).finish());
}

describe('decodeRequest', () => {
  it('reads any request as the generated code does', () => {
    const node = fc.record({ id: text, cluster: text, buildVersion: text });
    const requests = fc.record({
      node: fc.option(
        node.map((fields) => ({ ...fields, metadata: undefined })),
        { nil: undefined },
      ),
      resourceNamesSubscribe: fc.array(text),
      resourceNamesUnsubscribe: fc.array(text),
      responseNonce: text,
      initialResourceVersions: fc.array(fc.tuple(text, text)).map((entries) => new Map(entries)),
      errorDetail: fc.option(
        text.map((message) => ({ code: 3, message, details: [] })),
        { nil: undefined },
      ),
    });
    fc.assert(
      fc.property(requests, (fields) => {
        const bytes = encoded(fields);
        assert.deepEqual(decodeRequest(bytes), DeltaDiscoveryRequest.decode(bytes));
      }),
    );
  });

  it('refuses what ends too early, and never reads beyond the end', () => {
    const whole = encoded({ responseNonce: '', typeUrl: '', initialResourceVersions: new Map([['name', 'version']]) });
    for (let length = 1; length < whole.length; length++) {
      assert.throws(() => decodeRequest(whole.subarray(0, length)), RangeError);
    }
  });

  it('refuses or reads bytes of any kind, and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeRequest(Buffer.from(bytes));
        } catch (error) {
          assert.ok(error instanceof Error);
        }
      }),
    );
  });
});
