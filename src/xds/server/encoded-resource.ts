/**
 * A resource of a store, encoded once for all streams that send it.
 *
 * Invariant: the bytes of the message are held once, alone or inside the field that goes to clients, never both.
 */
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { DeltaDiscoveryResponse, Resource } from '../../proto/gen/discovery.ts';
import type { StoredResource } from './stored-resource.ts';

/** The field `resources` of a DeltaDiscoveryResponse, with a length. */
const RESOURCES_TAG = (2 << 3) | 2;
/** The same for the field `name` of a Resource, which comes last where there are no aliases. */
const NAME_TAG_BYTES = 1;

export class EncodedResource implements StoredResource {
  readonly name: string;
  readonly version: string;
  readonly aliases: readonly string[];
  readonly groups: readonly string[];
  readonly #valueBytes: number;
  /** The message, and once somebody was sent it, the field around it. */
  #bytes: Buffer;
  /** Where the message is in the field; undefined while there is no field. */
  #valueAt: number | undefined;

  constructor(resource: StoredResource) {
    this.name = resource.name;
    this.version = resource.version;
    this.aliases = resource.aliases;
    this.groups = resource.groups;
    this.#bytes = resource.value;
    this.#valueBytes = resource.value.length;
  }

  get value(): Buffer {
    const at = this.#valueAt;
    return at === undefined ? this.#bytes : this.#bytes.subarray(at, at + this.#valueBytes);
  }

  /** About what a response with it takes. */
  get costBytes(): number {
    return this.#valueBytes + this.name.length + 64;
  }

  /** The field of a response that carries it, without its other names. */
  field(typeUrl: string): Buffer {
    if (this.#valueAt !== undefined) return this.#bytes;
    // A copy in the pool: what the writer returns has a buffer of its own around each.
    const field = Buffer.from(encodeField(this, typeUrl, []));
    const nameBytes = Buffer.byteLength(this.name);
    const nameFieldBytes = nameBytes === 0 ? 0 : NAME_TAG_BYTES + varintBytes(nameBytes) + nameBytes;
    this.#valueAt = field.length - nameFieldBytes - this.#valueBytes;
    this.#bytes = field;
    return field;
  }

  /** The same with its other names, for clients that may have asked by one of them. */
  fieldWithAliases(typeUrl: string): Uint8Array {
    return this.aliases.length === 0 ? this.field(typeUrl) : encodeField(this, typeUrl, this.aliases);
  }
}

/** A DeltaDiscoveryResponse. @param fields encoded resources */
export function encodeResponse(
  typeUrl: string,
  nonce: string,
  fields: readonly Uint8Array[],
  removedResources: string[],
): Buffer {
  const rest = { systemVersionInfo: '', typeUrl, nonce, resources: [], removedResources };
  return Buffer.concat([...fields, DeltaDiscoveryResponse.encode(rest).finish()]);
}

function encodeField(
  { name, version, value }: StoredResource,
  typeUrl: string,
  aliases: readonly string[],
): Uint8Array {
  const resource = { typeUrl, value };
  const message = { name, version, resource, aliases: [...aliases], ttl: undefined, cacheControl: undefined };
  return Resource.encode(message, new BinaryWriter().uint32(RESOURCES_TAG).fork()).join().finish();
}

function varintBytes(value: number): number {
  return value < 128 ? 1 : 1 + varintBytes(value >>> 7);
}
