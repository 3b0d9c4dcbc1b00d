/** A pod as the node agent is told about it: the body of `POST /pods`. */
export interface AgentPod {
  /** Kubernetes UID, or whatever the local engine uses in its place. */
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Path of the network namespace. */
  readonly netns: string;
  readonly ips: readonly string[];
  readonly annotations: Readonly<Record<string, string>>;
}

/** A pod as log lines and errors name it. */
export function podText({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}
