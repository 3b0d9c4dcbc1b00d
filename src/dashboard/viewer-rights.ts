/**
 * What of a cluster a person may read, by the rights that they have at its API server: who may get the pods of a namespace
 * sees its traffic.
 *
 * Invariants:
 * - An answer counts for half a minute; so long a right that was taken away goes on.
 * - Nobody asks for more than a few rights at a time, with however many requests and tokens: there is room for others.
 */
import { hash } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { reviewAccess } from '../kube/access-review.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { PODS } from '../kube/resource-kind.ts';
import { ReviewCache } from '../kube/review-cache.ts';
import type { ReviewedUser } from '../kube/token-review.ts';
import { isNamespaceName } from '../model/manifest/object-meta.ts';

type Answer = Result<boolean, string>;
/** Whether a namespace may be read. */
type Readable = Result<(namespace: string) => boolean, string>;

const KEPT_MS = 30_000;
const MAX_ANSWERS = 20_000;
const MAX_RUNNING = 1024;
/** Of one person. */
const AT_A_TIME = 16;
const ALL_NAMESPACES = '';

export class ViewerRights {
  readonly #client: KubeClient;
  readonly #answers: ReviewCache<Answer>;
  /** What is being found out for each person, by name. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(client: KubeClient, clock: Clock) {
    this.#client = client;
    const keepMs = ({ ok: isAnswered }: Answer) => (isAnswered ? KEPT_MS : 0);
    this.#answers = new ReviewCache({ maxAnswers: MAX_ANSWERS, maxRunning: MAX_RUNNING, keepMs }, clock);
  }

  /**
   * Whether each of the namespaces, and no other, may be read. Fails with why the API server did not say.
   * @param namespaces that are asked for, unless the person may read all
   */
  async readable(user: ReviewedUser, namespaces: ReadonlySet<string>): Promise<Readable> {
    const own = () => this.#readable(user, namespaces);
    const turn = (this.#turns.get(user.name) ?? Promise.resolve()).then(own, own);
    this.#turns.set(user.name, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(user.name) === turn) this.#turns.delete(user.name);
    }
  }

  async #readable(user: ReviewedUser, namespaces: ReadonlySet<string>): Promise<Readable> {
    const all = await this.#mayRead(user, ALL_NAMESPACES);
    if (!all.ok) return all;
    if (all.value) return ok(() => true);
    const allowed = new Set<string>();
    const waiting = [...namespaces].filter(isNamespaceName);
    let failure: string | undefined;
    const work = async () => {
      for (let name = waiting.shift(); name !== undefined && failure === undefined; name = waiting.shift()) {
        const answer = await this.#mayRead(user, name);
        if (!answer.ok) failure = answer.error;
        else if (answer.value) allowed.add(name);
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, work));
    return failure === undefined ? ok((namespace: string) => allowed.has(namespace)) : fail(failure);
  }

  async #mayRead(user: ReviewedUser, namespace: string): Promise<Answer> {
    const key = `${hash('sha256', JSON.stringify(user), 'base64')}/${namespace}`;
    const answer = await this.#answers.answer(key, async () => {
      const review = await reviewAccess(this.#client, user, { verb: 'get', kind: PODS, namespace });
      return review.ok ? review : fail(review.error.message);
    });
    return answer ?? fail('too many rights are being asked for at this time');
  }
}
