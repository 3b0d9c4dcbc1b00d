/**
 * Tells control planes which pods are in the mesh: annotation `ambient.istio.io/redirection` (facts ztunnel-wire 3.6).
 *
 * Invariants:
 * - a patch names the pod's uid, so a pod of the same name that came later is never marked;
 * - per pod one patch is under way; the last wish wins;
 * - `pending` never replaces `enabled`: a proxy that is away for a moment must not take the pod's tunnels from it.
 */
import { Backoff } from '../../base/backoff.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import { PODS } from '../../kube/resource-kind.ts';
import { podText } from '../../model/agent-pod.ts';
import { REDIRECTION_ANNOTATION } from '../../model/installed-names.ts';
import type { NodePod } from './node-pod.ts';

export type Redirection = 'enabled' | 'pending';

const RETRY_INITIAL_MS = 200;
const RETRY_MAX_MS = 10_000;
const PATCH_TIMEOUT_MS = 10_000;
const SETTLE_POLL_MS = 50;

export interface RedirectionAnnotationDeps {
  readonly client: Pick<KubeClient, 'patch'>;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Wish {
  readonly pod: NodePod;
  readonly value: Redirection | undefined;
}

export class RedirectionAnnotations {
  readonly #deps: RedirectionAnnotationDeps;
  readonly #wishes = new Map<string, Wish>();
  readonly #running = new Set<string>();
  #stopped = false;

  constructor(deps: RedirectionAnnotationDeps) {
    this.#deps = deps;
  }

  /** Makes the annotation so; undefined removes it. Tries until it works or the pod is gone. */
  set(pod: NodePod, value: Redirection | undefined): void {
    const current = pod.annotations[REDIRECTION_ANNOTATION];
    const isDone = current === value || (value === 'pending' && current === 'enabled');
    // A patch under way may be about to write something else.
    if (isDone && !this.#running.has(pod.uid)) return;
    this.#wishes.set(pod.uid, { pod, value });
    if (!this.#running.has(pod.uid))
      void this.#run(pod.uid, new Backoff({ initialMs: RETRY_INITIAL_MS, maxMs: RETRY_MAX_MS }));
  }

  /** The pod is gone. */
  forget(uid: string): void {
    this.#wishes.delete(uid);
  }

  /** Resolves when all wishes are written, at the latest after `timeoutMs`, with the number of those that are not. */
  async settled(timeoutMs: number): Promise<number> {
    const { clock } = this.#deps;
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    while (this.#running.size > 0 && clock.monotonicMs() < deadlineMs) await sleep(clock, SETTLE_POLL_MS);
    return this.#running.size;
  }

  stop(): void {
    this.#stopped = true;
    this.#wishes.clear();
  }

  async #run(uid: string, backoff: Backoff): Promise<void> {
    const wish = this.#wishes.get(uid);
    if (wish === undefined || this.#stopped) {
      this.#running.delete(uid);
      return;
    }
    this.#running.add(uid);
    const isSettled = await this.#patch(wish);
    if (isSettled && this.#wishes.get(uid) === wish) this.#wishes.delete(uid);
    if (isSettled) return this.#run(uid, backoff);
    this.#deps.clock.after(backoff.next(), () => void this.#run(uid, backoff));
  }

  /** Whether there is nothing more to do: the annotation is written, or its pod is gone. */
  async #patch({ pod, value }: Wish): Promise<boolean> {
    const { client, log } = this.#deps;
    const annotations = { [REDIRECTION_ANNOTATION]: value ?? null };
    const answer = await client.patch(
      PODS,
      pod.namespace,
      pod.name,
      { type: 'merge', subresource: 'status', body: { metadata: { uid: pod.uid, annotations } } },
      { timeoutMs: PATCH_TIMEOUT_MS },
    );
    if (answer.ok || answer.error.isNotFound || answer.error.isConflict) return true;
    log.warn('the redirection annotation cannot be written: control planes see the pod as it was before', {
      pod: podText(pod),
      value: value ?? 'none',
      error: answer.error.message,
    });
    return false;
  }
}
