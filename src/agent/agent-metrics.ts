/** The metrics of the agent, on `/metrics`; names as Istio's where it has one. */
import type { HttpRoutes } from '../net/http-endpoint.ts';
import { type MetricFamily, renderLabels } from '../telemetry/exposition.ts';
import type { PodOutcome } from './pod-enroller.ts';
import type { PodState } from './pod-registry.ts';

const POD_STATES: readonly PodState['kind'][] = ['pending', 'partial', 'enrolled', 'leaving'];

/** What is read at the time of a scrape. */
export interface AgentGauges {
  readonly podStates: readonly PodState['kind'][];
  readonly zdsConnections: number;
  /** Undefined on a node without Kubernetes. */
  readonly isCniInstalled: boolean | undefined;
}

export class AgentMetrics {
  readonly #outcomes = new Map<PodOutcome, number>();
  readonly #installs = new Map<string, number>();

  /** A pod was added or removed, or that failed. */
  outcome(outcome: PodOutcome): void {
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
  }

  /** The CNI plugin was installed, or that failed. */
  install(result: 'success' | 'failure'): void {
    this.#installs.set(result, (this.#installs.get(result) ?? 0) + 1);
  }

  families({ podStates, zdsConnections, isCniInstalled }: AgentGauges): readonly MetricFamily[] {
    const byResult = (entries: readonly (readonly [string, PodOutcome])[]) =>
      entries.map(([result, outcome]) => sample('result', result, this.#outcomes.get(outcome) ?? 0));
    return [
      {
        name: 'ambit_agent_pods',
        help: 'Pods of this node in the mesh or on their way, by state.',
        type: 'gauge',
        samples: POD_STATES.map((state) => sample('state', state, podStates.filter((other) => other === state).length)),
      },
      {
        name: 'ambit_agent_pod_adds',
        help: 'Pods that were taken into the mesh, or should have been, by result.',
        type: 'counter',
        samples: byResult([
          ['success', 'enrolled'],
          ['partial', 'partial'],
          ['failure', 'failed'],
        ]),
      },
      {
        name: 'ambit_agent_pod_removals',
        help: 'Pods that were taken out of the mesh, or should have been, by result.',
        type: 'counter',
        samples: byResult([
          ['success', 'removed'],
          ['failure', 'remove-failed'],
        ]),
      },
      gauge('ztunnel_connected', 'Number of connected node proxies.', zdsConnections),
      {
        name: 'istio_cni_installs',
        help: 'Installations of the CNI plugin on the node, by result.',
        type: 'counter',
        samples: [...this.#installs].map(([result, count]) => sample('result', result, count)),
      },
      gauge('istio_cni_install_ready', 'Whether the CNI plugin is installed on the node.', numberOf(isCniInstalled)),
    ];
  }
}

function numberOf(flag: boolean | undefined): number | undefined {
  return flag === undefined ? undefined : Number(flag);
}

function sample(label: string, text: string, value: number) {
  return { labels: renderLabels([[label, text]]), value };
}

function gauge(name: string, help: string, value: number | undefined): MetricFamily {
  return { name, help, type: 'gauge', samples: value === undefined ? [] : [{ labels: '', value }] };
}

/** The probes: `/healthz` while the process answers, `/readyz` once `problems` is empty (facts ztunnel-wire 1.1). */
export function probeRoutes(problems: () => readonly string[]): HttpRoutes {
  return {
    'GET /healthz': () => ({ status: 200, body: 'ok\n' }),
    'GET /readyz': () => {
      const found = problems();
      return found.length === 0 ? { status: 200, body: 'ready\n' } : { status: 503, body: `${found.join('\n')}\n` };
    },
  };
}
