import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { DeltaDiscoveryResponse } from '../../../../src/proto/gen/discovery.ts';
import { EncodedResource, encodeResponse } from '../../../../src/xds/server/encoded-resource.ts';

const TYPE = 'type.googleapis.com/test.Thing';

function resourceOf(name: string, value: Uint8Array, aliases: readonly string[] = []): EncodedResource {
  return new EncodedResource({ name, version: 'v', value: Buffer.from(value), aliases, groups: [] });
}

/** As a client reads it. */
function received(fields: readonly Uint8Array[]) {
  const response = DeltaDiscoveryResponse.decode(encodeResponse(TYPE, '7', fields, ['gone']));
  const resources = response.resources.map(({ name, version, aliases, resource }) => {
    return { name, version, aliases, typeUrl: resource?.typeUrl, value: Buffer.from(resource?.value ?? []) };
  });
  return { ...response, resources };
}

describe('EncodedResource', () => {
  it('is read by clients as what was put in, with any name and content, and keeps its content', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 300 }),
        fc.uint8Array({ maxLength: 70_000 }),
        (name, value) => {
          const resource = resourceOf(name, value);
          const { resources } = received([resource.field(TYPE)]);
          assert.deepEqual(resources, [{ name, version: 'v', aliases: [], typeUrl: TYPE, value: Buffer.from(value) }]);
          assert.deepEqual(resource.value, Buffer.from(value));
        },
      ),
    );
  });

  it('is encoded once for everybody who asks for everything', () => {
    const resource = resourceOf('a', Buffer.from('content'));
    assert.equal(resource.field(TYPE), resource.field(TYPE));
  });

  it('brings its other names along to who may have asked by them, before and after it was sent without', () => {
    const resource = resourceOf('a', Buffer.from('content'), ['net/1', 'net/2']);
    for (let time = 0; time < 2; time++) {
      assert.deepEqual(received([resource.fieldWithAliases(TYPE)]).resources[0]?.aliases, ['net/1', 'net/2']);
      assert.deepEqual(received([resource.field(TYPE)]).resources[0]?.aliases, []);
    }
  });
});

describe('encodeResponse', () => {
  it('is a discovery response with resources, removals, type and nonce', () => {
    const fields = ['a', 'b'].map((name) => resourceOf(name, Buffer.from(name)).field(TYPE));
    const { resources, typeUrl, nonce, removedResources } = received(fields);
    assert.deepEqual(
      [resources.map(({ name }) => name), typeUrl, nonce, removedResources],
      [['a', 'b'], TYPE, '7', ['gone']],
    );
  });
});
