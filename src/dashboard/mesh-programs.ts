/** The programs of a mesh, asked with somebody's rights. */
import type { MeshProxy } from '../model/mesh-proxy.ts';

export interface MeshPrograms {
  /** Where control planes answer questions about themselves. */
  readonly controlPort: number;
  /** @throws AmbitError with what to do */
  proxies(): Promise<readonly MeshProxy[]>;
  /** The answer as text. @throws Error when it is not 200, or nobody answers */
  ask(proxy: MeshProxy, port: number, path: string): Promise<string>;
  /** Follows an answer that goes on, line by line, until it ends or the signal ends it. @throws AmbitError */
  follow(
    proxy: MeshProxy,
    asked: { readonly port: number; readonly path: string },
    signal: AbortSignal,
    listener: { onOpen(): void; onLine(line: string): void },
  ): Promise<void>;
}
