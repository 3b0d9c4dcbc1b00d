/**
 * Keeps the roots that sign the webhook's certificate in its configuration, so that API servers trust it. Runs while its
 * replica leads; what others change is put right, and a configuration that is not installed is waited for.
 */
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import type { KubeObject } from '../../kube/kube-object.ts';
import { Reflector } from '../../kube/reflector.ts';
import { VALIDATING_WEBHOOKS } from '../../kube/resource-kind.ts';
import { fieldsOf } from '../../model/manifest/field-reader.ts';
import type { LeaderTask } from '../leader-work.ts';
import { WorkQueue } from '../work-queue.ts';

export interface WebhookTrustDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly rootsPem: () => string;
  /** Told when the roots change. @returns ends the subscription */
  readonly onChange: (listener: () => void) => () => void;
}

/** Two that disagree write at most so often. */
const SPACING_MS = 1000;

export class WebhookTrust implements LeaderTask {
  readonly #name: string;
  readonly #deps: WebhookTrustDeps;
  readonly #queue: WorkQueue;
  readonly #reflector: Reflector;
  #current: KubeObject | undefined;
  #unsubscribe: () => void = () => undefined;

  /** @param name of the ValidatingWebhookConfiguration */
  constructor(name: string, deps: WebhookTrustDeps) {
    this.#name = name;
    this.#deps = deps;
    this.#queue = new WorkQueue({ spacingMs: SPACING_MS }, deps.clock, () => this.#repair());
    const look = (object: KubeObject | undefined) => {
      this.#current = object;
      this.#queue.add(name);
    };
    this.#reflector = new Reflector({ kind: VALIDATING_WEBHOOKS, fieldSelector: `metadata.name=${name}` }, deps, {
      replace: ([object]) => look(object),
      upsert: look,
      remove: () => look(undefined),
    });
  }

  start(): void {
    this.#unsubscribe = this.#deps.onChange(() => this.#queue.add(this.#name));
    this.#reflector.start();
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    await Promise.all([this.#reflector.stop(), this.#queue.stop()]);
  }

  /** @returns false when it has to be tried again */
  async #repair(): Promise<boolean> {
    const { client, logger, rootsPem } = this.#deps;
    const current = this.#current;
    const webhooks = current?.['webhooks'];
    if (current === undefined || !Array.isArray(webhooks)) return true;
    const caBundle = Buffer.from(rootsPem()).toString('base64');
    const operations = webhooks.flatMap((webhook: unknown, index) => {
      const config = fieldsOf(fieldsOf(webhook)['clientConfig']);
      if (config['caBundle'] === caBundle) return [];
      return [{ op: 'add', path: `/webhooks/${index}/clientConfig/caBundle`, value: caBundle }];
    });
    if (operations.length === 0) return true;
    // Only this very version: the list may have another order in the next one.
    const test = { op: 'test', path: '/metadata/resourceVersion', value: current.metadata.resourceVersion };
    const patch = { type: 'json', body: [test, ...operations] } as const;
    const written = await client.patch(VALIDATING_WEBHOOKS, '', this.#name, patch);
    if (written.ok || written.error.isNotFound) return true;
    logger.warn('the webhook is not trusted yet: its roots could not be written', { reason: written.error.message });
    return false;
  }
}
