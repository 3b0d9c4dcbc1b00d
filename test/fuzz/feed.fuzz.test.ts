import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { MeshState } from '../../src/mesh/mesh-state.ts';
import { decodeAddress } from '../../src/model/feed-decode.ts';
import { encodeService, encodeWorkload } from '../../src/model/feed-encode.ts';
import { decodeAuthorization } from '../../src/model/policy-decode.ts';
import { createService } from '../../src/model/service.ts';
import { createWorkload } from '../../src/model/workload.ts';
import { Address } from '../../src/proto/gen/workload.ts';

const FUZZ_MS = Number(process.env['FUZZ_MS'] ?? 2000);
const SERVICES = new Map([['ns/host', new Map([[80, 8080]])]]);
const SEEDS = [
  Address.encode({
    type: { $case: 'workload', workload: encodeWorkload(createWorkload({ uid: 'u', services: SERVICES })) },
  }),
  Address.encode({
    type: { $case: 'service', service: encodeService(createService({ namespace: 'n', hostname: 'h' })) },
  }),
].map((writer) => Buffer.from(writer.finish()));

it('resources of any content are decoded or refused with a reason, and what is decoded can be indexed', () => {
  const changes = fc.array(fc.tuple(fc.nat({ max: 200 }), fc.nat({ max: 255 })), { maxLength: 6 });
  const mutated = fc
    .tuple(fc.constantFrom(...SEEDS), changes, fc.uint8Array({ maxLength: 32 }))
    .map(([seed, list, tail]) => {
      const bytes = Buffer.concat([seed, tail]);
      for (const [at, value] of list) if (at < bytes.length) bytes[at] = value;
      return bytes;
    });
  const input = fc.oneof(
    mutated,
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  );
  const state = new MeshState();
  fc.assert(
    fc.property(input, (bytes) => {
      const address = decodeAddress(bytes);
      if (address.ok) {
        state.apply([address.value]);
        const name = address.value.kind === 'workload' ? address.value.workload.uid : 'n/h';
        state.apply([{ kind: 'remove-address', name }]);
      } else assert.ok(address.error.length > 0);
      const policy = decodeAuthorization(bytes);
      if (policy.ok) state.apply([{ kind: 'policy', policy: policy.value }]);
      else assert.ok(policy.error.length > 0);
    }),
    { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: FUZZ_MS },
  );
});
