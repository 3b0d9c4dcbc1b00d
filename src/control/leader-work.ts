/** What only one replica does: it writes root certificates, rotates the own root, writes status. */
import type { LeaderCallbacks } from '../kube/leader-lease.ts';

/** Something that runs while its replica leads. */
export interface LeaderTask {
  start(): void;
  stop(): void | Promise<void>;
}

/** Runs tasks while the replica leads; each term has tasks of its own. */
export class LeaderWork implements LeaderCallbacks {
  readonly #create: () => readonly LeaderTask[];
  #running: readonly LeaderTask[] = [];
  #ending: Promise<unknown> = Promise.resolve();

  /** @param create makes the tasks of one term */
  constructor(create: () => readonly LeaderTask[]) {
    this.#create = create;
  }

  started(): void {
    this.#running = this.#create();
    for (const task of this.#running) task.start();
  }

  stopped(): void {
    const ended = this.#running.map((task) => task.stop());
    this.#running = [];
    this.#ending = Promise.all([this.#ending, ...ended]);
  }

  /** Resolves when the tasks of all former terms have ended. */
  async settled(): Promise<void> {
    await this.#ending;
  }
}
