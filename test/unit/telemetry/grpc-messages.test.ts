import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GrpcMessageCounter } from '../../../src/telemetry/grpc-messages.ts';

function message(bytes: number): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes, 1);
  return Buffer.concat([prefix, Buffer.alloc(bytes, 0xff)]);
}

describe('messages of gRPC', () => {
  it('are counted however their bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 700 })),
        fc.array(fc.integer({ min: 1, max: 64 })),
        (sizes, cuts) => {
          const body = Buffer.concat(sizes.map(message));
          const counter = new GrpcMessageCounter();
          let at = 0;
          for (let cut = 0; at < body.length; cut++) {
            const end = at + (cuts[cut % Math.max(1, cuts.length)] ?? body.length);
            counter.receive(body.subarray(at, end));
            at = end;
          }
          assert.equal(counter.messages, sizes.length);
        },
      ),
    );
  });

  it('may claim any length', () => {
    const counter = new GrpcMessageCounter();
    counter.receive(Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]));
    counter.receive(Buffer.alloc(1000));
    assert.equal(counter.messages, 1);
  });
});
