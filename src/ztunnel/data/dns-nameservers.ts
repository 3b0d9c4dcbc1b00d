/** The name servers of the process, read again when their file changes. */
import { readFileSync, statSync } from 'node:fs';
import type { Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { parseResolvConf } from '../../dns/resolv-conf.ts';
import type { IpAddress } from '../../model/address.ts';

export interface Nameservers {
  /** The servers in the order in which they are asked. */
  current(): readonly IpAddress[];
}

export interface NameserversDeps {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How long a look at the file counts. */
const CHECK_INTERVAL_MS = 1000;

/** Name servers of a resolv.conf file. While it cannot be read, the last ones stay. */
export class ResolvConfFile implements Nameservers {
  readonly #path: string;
  readonly #deps: NameserversDeps;
  #servers: readonly IpAddress[] = [];
  #version = '';
  #checkAtMs = Number.NEGATIVE_INFINITY;

  constructor(path: string, deps: NameserversDeps) {
    this.#path = path;
    this.#deps = deps;
  }

  current(): readonly IpAddress[] {
    const nowMs = this.#deps.clock.monotonicMs();
    if (nowMs >= this.#checkAtMs) {
      this.#checkAtMs = nowMs + CHECK_INTERVAL_MS;
      this.#check();
    }
    return this.#servers;
  }

  #check(): void {
    try {
      const { mtimeMs, ino, size } = statSync(this.#path);
      const version = `${ino}:${mtimeMs}:${size}`;
      if (version === this.#version) return;
      this.#servers = parseResolvConf(readFileSync(this.#path, 'utf8'));
      this.#version = version;
      this.#deps.logger.debug('name servers', { path: this.#path, servers: this.#servers.join(',') });
    } catch (error) {
      this.#deps.logger.warn('cannot read name servers', { path: this.#path, error: errorText(error) });
    }
  }
}
