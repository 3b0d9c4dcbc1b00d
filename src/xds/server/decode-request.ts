/**
 * Discovery requests from bytes. A proxy that comes back lists the versions of all that it holds, and after a restart all
 * proxies come back at once: the list is read without a message object for each of its entries.
 */
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { DeltaDiscoveryRequest } from '../../proto/gen/discovery.ts';

const LENGTH_DELIMITED = 2;
/** The field `initial_resource_versions`, and key and value of its entries. */
const VERSIONS_TAG = (5 << 3) | LENGTH_DELIMITED;
const KEY_TAG = (1 << 3) | LENGTH_DELIMITED;
const VALUE_TAG = (2 << 3) | LENGTH_DELIMITED;

/** Throws an error when the bytes are no request. */
export function decodeRequest(bytes: Buffer): DeltaDiscoveryRequest {
  const reader = new BinaryReader(bytes);
  const versions = new Map<string, string>();
  const others: Buffer[] = [];
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const tag = reader.uint32();
    if (tag === VERSIONS_TAG) {
      readEntry(reader, bytes, versions);
      continue;
    }
    reader.skip(tag & 7, tag >>> 3);
    others.push(bytes.subarray(start, reader.pos));
  }
  return { ...DeltaDiscoveryRequest.decode(Buffer.concat(others)), initialResourceVersions: versions };
}

function readEntry(reader: BinaryReader, bytes: Buffer, versions: Map<string, string>): void {
  const end = endOfField(reader, bytes.length);
  let name = '';
  let version = '';
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag !== KEY_TAG && tag !== VALUE_TAG) {
      reader.skip(tag & 7, tag >>> 3);
      continue;
    }
    const valueEnd = endOfField(reader, end);
    if (tag === KEY_TAG) name = bytes.toString('utf8', reader.pos, valueEnd);
    else version = bytes.toString('utf8', reader.pos, valueEnd);
    reader.pos = valueEnd;
  }
  if (reader.pos !== end) throw new RangeError('an entry of initial_resource_versions is longer than it says');
  versions.set(name, version);
}

function endOfField(reader: BinaryReader, limit: number): number {
  const length = reader.uint32();
  const end = reader.pos + length;
  if (end > limit) throw new RangeError('a field of initial_resource_versions is longer than the message');
  return end;
}
