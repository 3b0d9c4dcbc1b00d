/** HTTP/2 settings of HBONE tunnels with the configured windows (facts ztunnel-wire 7.4, 13). */
import { type Http2Role, hboneSettings, type LocalSettings } from '../http2/settings.ts';

/** A TLS handshake that takes longer fails. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;

export interface TunnelWindows {
  readonly streamWindowBytes: number;
  readonly connectionWindowBytes: number;
  readonly maxFrameBytes: number;
}

/** What this side of a tunnel offers its peer. */
export function tunnelSettings(role: Http2Role, windows: TunnelWindows): LocalSettings {
  return {
    ...hboneSettings(role),
    initialWindowBytes: windows.streamWindowBytes,
    connectionWindowBytes: windows.connectionWindowBytes,
    maxFrameBytes: windows.maxFrameBytes,
  };
}
