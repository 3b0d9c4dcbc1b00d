/** SETTINGS of both sides (RFC 9113 6.5; HBONE values: facts ztunnel-wire 7.4, samples/hbone-frames.txt). */
import { DEFAULT_MAX_FRAME_BYTES, DEFAULT_WINDOW_BYTES, MAX_31_BIT, MAX_MAX_FRAME_BYTES, readUint32 } from './frame.ts';
import { type Fault, Http2Code } from './http2-error.ts';

export type Http2Role = 'client' | 'server';

export const SettingId = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
} as const;

/** What this side offers its peer. */
export interface LocalSettings {
  readonly initialWindowBytes: number;
  readonly connectionWindowBytes: number;
  readonly maxFrameBytes: number;
  readonly maxHeaderListBytes: number;
  /** Streams the peer may have open; a server's setting. */
  readonly maxConcurrentStreams: number;
}

const MIB = 1024 * 1024;

/** HBONE defaults; the connection window is four stream windows, so that one stalled stream blocks no sibling. */
export function hboneSettings(role: Http2Role): LocalSettings {
  return {
    initialWindowBytes: 4 * MIB,
    connectionWindowBytes: 16 * MIB,
    maxFrameBytes: MIB,
    maxHeaderListBytes: role === 'client' ? 16 * 1024 : 64 * 1024,
    maxConcurrentStreams: role === 'client' ? 0 : 200,
  };
}

/** The payload of the first SETTINGS frame, in the order HBONE peers send it. */
export function settingsPayload(role: Http2Role, settings: LocalSettings): Buffer {
  const first: [number, number] =
    role === 'client' ? [SettingId.ENABLE_PUSH, 0] : [SettingId.MAX_CONCURRENT_STREAMS, settings.maxConcurrentStreams];
  const pairs: [number, number][] = [
    first,
    [SettingId.INITIAL_WINDOW_SIZE, settings.initialWindowBytes],
    [SettingId.MAX_FRAME_SIZE, settings.maxFrameBytes],
    [SettingId.MAX_HEADER_LIST_SIZE, settings.maxHeaderListBytes],
  ];
  const payload = Buffer.allocUnsafe(pairs.length * 6);
  for (const [index, [id, value]] of pairs.entries()) {
    payload.writeUInt16BE(id, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  }
  return payload;
}

/** What the peer announced; RFC defaults until it does, except that streams are capped before the first SETTINGS. */
export class PeerSettings {
  headerTableBytes = 4096;
  maxConcurrentStreams = 100;
  initialWindowBytes = DEFAULT_WINDOW_BYTES;
  maxFrameBytes = DEFAULT_MAX_FRAME_BYTES;
  maxHeaderListBytes = Number.POSITIVE_INFINITY;
  #received = false;

  /** Takes over a SETTINGS payload in `bytes[start, end)`, whose length is a multiple of 6. `role` is this side's. */
  apply(role: Http2Role, bytes: Uint8Array, start: number, end: number): Fault | undefined {
    if (!this.#received) {
      // A peer that does not announce a limit has none (RFC 9113 6.5.2).
      this.maxConcurrentStreams = MAX_31_BIT;
      this.#received = true;
    }
    for (let at = start; at < end; at += 6) {
      const id = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
      const fault = this.#set(role, id, readUint32(bytes, at + 2));
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  #set(role: Http2Role, id: number, value: number): Fault | undefined {
    switch (id) {
      case SettingId.HEADER_TABLE_SIZE:
        this.headerTableBytes = value;
        return undefined;
      case SettingId.ENABLE_PUSH:
        return value > 1 || (role === 'client' && value !== 0) ? outOfRange('ENABLE_PUSH') : undefined;
      case SettingId.MAX_CONCURRENT_STREAMS:
        this.maxConcurrentStreams = value;
        return undefined;
      case SettingId.INITIAL_WINDOW_SIZE:
        if (value > MAX_31_BIT) {
          return { code: Http2Code.FLOW_CONTROL_ERROR, message: 'SETTINGS_INITIAL_WINDOW_SIZE is above 2^31-1' };
        }
        this.initialWindowBytes = value;
        return undefined;
      case SettingId.MAX_FRAME_SIZE:
        if (value < DEFAULT_MAX_FRAME_BYTES || value > MAX_MAX_FRAME_BYTES) return outOfRange('MAX_FRAME_SIZE');
        this.maxFrameBytes = value;
        return undefined;
      case SettingId.MAX_HEADER_LIST_SIZE:
        this.maxHeaderListBytes = value;
        return undefined;
      default:
        return undefined;
    }
  }
}

function outOfRange(name: string): Fault {
  return { code: Http2Code.PROTOCOL_ERROR, message: `SETTINGS_${name} is out of range` };
}
