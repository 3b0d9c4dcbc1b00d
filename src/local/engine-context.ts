/** What every part of the engine shares. */
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { RunFolder } from './run-folder.ts';

export interface EngineContext {
  readonly run: RunFolder;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Shows a line to the person in front of the terminal. */
  readonly say: (line: string) => void;
  readonly random: () => number;
  /** Whether the kernel has IPv6. */
  readonly ipv6: boolean;
  /** The program and first arguments of `ambit`. */
  readonly ambit: readonly string[];
  /** The environment of ambit's own programs. */
  readonly environment: NodeJS.ProcessEnv;
  /** The variables of the machine that containers see. */
  readonly machineEnv: Readonly<Record<string, string>>;
}
