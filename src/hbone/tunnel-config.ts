/** What every proxy is told of its tunnels by the environment (facts ztunnel-wire 13). */
import type { EnvironmentReader } from '../base/environment.ts';
import type { TunnelWindows } from './tunnel-settings.ts';

export interface TunnelConfig {
  readonly poolMaxStreams: number;
  readonly poolIdleMs: number;
  readonly http2: TunnelWindows;
}

const KI = 1024;

/** Problems are the reader's to report. */
export function readTunnelConfig(env: EnvironmentReader): TunnelConfig {
  return {
    poolMaxStreams: env.integer('POOL_MAX_STREAMS_PER_CONNECTION', 100, 1, 65535),
    poolIdleMs: env.durationMs('POOL_UNUSED_RELEASE_TIMEOUT', 5 * 60_000),
    http2: {
      streamWindowBytes: env.integer('HTTP2_STREAM_WINDOW_SIZE', 4 * KI * KI, 65535, 2 ** 31 - 1),
      connectionWindowBytes: env.integer('HTTP2_CONNECTION_WINDOW_SIZE', 16 * KI * KI, 65535, 2 ** 31 - 1),
      maxFrameBytes: env.integer('HTTP2_FRAME_SIZE', KI * KI, 16 * KI, 2 ** 24 - 1),
    },
  };
}
