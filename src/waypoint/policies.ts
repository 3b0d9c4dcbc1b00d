/** The policies that the control plane gives to waypoints, by what they are attached to. */
import { compileJwtRules, type JwtRule, poolRules, type TokenRules } from '../authn/jwt-rule.ts';
import { RequestPolicies } from '../authz/request-policies.ts';
import { compileRequestPolicy, EVERYTHING, type RequestPolicy } from '../authz/request-policy.ts';
import { errorText } from '../base/errors.ts';
import { UNUSABLE_SUFFIX } from '../model/fed-policy-name.ts';
import { readObject } from '../model/manifest/read-object.ts';
import { createPolicyTally } from '../model/policy-tally.ts';
import { WAYPOINT_POLICY_TYPE } from '../model/waypoint-feed.ts';
import { MESH_TARGET } from '../model/waypoint-target.ts';
import { WaypointPolicy } from '../proto/gen/ambit.ts';
import type { ReceivedResource, RefusedResource, ResourceHandler } from '../xds/client/delta-client.ts';

/** A policy of either kind, ready to be asked. */
interface Held {
  readonly targets: readonly string[];
  /** The object, for people. */
  readonly manifest: Uint8Array;
  readonly policy: RequestPolicy | undefined;
  readonly rules: readonly JwtRule[];
}

/** All that applies to the same targets. */
interface Pool {
  readonly policies: RequestPolicies;
  readonly tokenRules: TokenRules | undefined;
}

const NOWHERE = { file: '', line: 0, column: 0 };
const NO_RULES: readonly JwtRule[] = [];

export class WaypointPolicies {
  readonly #held = new Map<string, Held>();
  readonly #onTokenRules: (rules: readonly JwtRule[]) => void;
  readonly #onChange: () => void;
  #known = false;
  #hasTokenRules = false;
  readonly #byTarget = new Map<string, Held[]>();
  /** By the targets that were asked for together; dropped at each change. */
  readonly #pools = new Map<string, Pool>();
  #poolsByList = new WeakMap<readonly string[], Pool>();

  /**
   * @param onTokenRules hears of all rules for tokens that are in force, after each change
   * @param onChange policies are others now
   */
  constructor(onTokenRules: (rules: readonly JwtRule[]) => void, onChange: () => void = () => undefined) {
    this.#onTokenRules = onTokenRules;
    this.#onChange = onChange;
  }

  /** The subscription that fills this. */
  handler(): ResourceHandler {
    return {
      typeUrl: WAYPOINT_POLICY_TYPE,
      onDemand: false,
      apply: (resources, removed) => this.#apply(resources, removed),
    };
  }

  /** Whether the control plane has said which there are: before, nobody may be let through. */
  get known(): boolean {
    return this.#known;
  }

  /** Whether any policy asks for tokens. */
  get hasTokenRules(): boolean {
    return this.#hasTokenRules;
  }

  /** Every policy, with what it is attached to, and its object as JSON. */
  *held(): IterableIterator<{ readonly targets: readonly string[]; readonly manifest: Uint8Array }> {
    yield* this.#held.values();
  }

  /** Every AuthorizationPolicy, with what it counted. */
  *counted(): IterableIterator<RequestPolicy> {
    for (const { policy } of this.#held.values()) if (policy !== undefined) yield policy;
  }

  /** All that apply to what is attached to any of the targets, and to every waypoint. */
  of(targets: readonly string[]): RequestPolicies {
    return this.#pool(targets).policies;
  }

  /** What these targets say of tokens; undefined when they say nothing. */
  tokenRulesOf(targets: readonly string[]): TokenRules | undefined {
    return this.#pool(targets).tokenRules;
  }

  /** @param targets the same list for the same connection */
  #pool(targets: readonly string[]): Pool {
    let pool = this.#poolsByList.get(targets);
    if (pool === undefined) {
      pool = this.#poolOf(targets);
      this.#poolsByList.set(targets, pool);
    }
    return pool;
  }

  #poolOf(targets: readonly string[]): Pool {
    const key = targets.join(' ');
    const known = this.#pools.get(key);
    if (known !== undefined) return known;
    const held = [...new Set([MESH_TARGET, ...targets].flatMap((target) => this.#byTarget.get(target) ?? []))];
    const pool = {
      policies: new RequestPolicies(held.map(({ policy }) => policy).filter((policy) => policy !== undefined)),
      tokenRules: poolRules(held.flatMap(({ rules }) => rules)),
    };
    this.#pools.set(key, pool);
    return pool;
  }

  #apply(resources: readonly ReceivedResource[], removed: readonly string[]): readonly RefusedResource[] {
    const refused: RefusedResource[] = [];
    for (const name of removed) this.#held.delete(name);
    for (const { name, bytes } of resources) {
      const read = readPolicy(bytes);
      if (typeof read !== 'string') this.#held.set(name, keepTally(read, this.#held.get(name)));
      else {
        refused.push({ name, reason: read });
        if (!this.#held.has(name)) this.#held.set(name, denial(name, bytes));
      }
    }
    this.#index();
    this.#known = true;
    this.#onChange();
    return refused;
  }

  #index(): void {
    this.#byTarget.clear();
    this.#pools.clear();
    this.#poolsByList = new WeakMap();
    for (const held of this.#held.values()) {
      for (const target of held.targets) {
        const list = this.#byTarget.get(target);
        if (list === undefined) this.#byTarget.set(target, [held]);
        else list.push(held);
      }
    }
    const rules = [...this.#held.values()].flatMap((held) => held.rules);
    this.#hasTokenRules = rules.length > 0;
    this.#onTokenRules(rules);
  }
}

/** Counting goes on while a policy means the same by a hit. */
function keepTally(held: Held, before: Held | undefined): Held {
  const [now, old] = [held.policy, before?.policy];
  if (now === undefined || old === undefined || now.action !== old.action || now.dryRun !== old.dryRun) return held;
  return { ...held, policy: { ...now, tally: old.tally } };
}

function readPolicy(bytes: Uint8Array): Held | string {
  try {
    const { targets, manifest } = WaypointPolicy.decode(bytes);
    const reading = readObject(JSON.parse(Buffer.from(manifest).toString('utf8')), () => NOWHERE);
    if (reading.kind !== 'accepted') return 'the policy in it is not valid';
    const { object } = reading;
    if (object.kind === 'RequestAuthentication')
      return { targets, manifest, policy: undefined, rules: compileJwtRules(object) };
    if (object.kind !== 'AuthorizationPolicy') return `a ${object.kind} is no policy`;
    return { targets, manifest, policy: compileRequestPolicy(object), rules: NO_RULES };
  } catch (error) {
    return `it cannot be decoded: ${errorText(error)}`;
  }
}

/**
 * Nobody knows what a refused policy would have let through: it denies everything that it is attached to, or everything
 * where that cannot be read either.
 */
function denial(resourceName: string, bytes: Uint8Array): Held {
  const known = decoded(bytes);
  const [kind, namespace = '', name = resourceName] = resourceName.split('/');
  return {
    targets: known?.targets ?? [MESH_TARGET],
    manifest: Buffer.from(JSON.stringify({ kind, metadata: { namespace, name }, unusable: true })),
    policy: {
      namespace,
      name: name + UNUSABLE_SUFFIX,
      action: 'DENY',
      provider: '',
      dryRun: false,
      tally: createPolicyTally(),
      rules: [EVERYTHING],
    },
    rules: NO_RULES,
  };
}

function decoded(bytes: Uint8Array): WaypointPolicy | undefined {
  try {
    return WaypointPolicy.decode(bytes);
  } catch {
    // The refusal says why.
    return undefined;
  }
}
