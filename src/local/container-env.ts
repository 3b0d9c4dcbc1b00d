/** The environment and arguments of a container: values, fields of the pod, `$(NAME)` references. */
import type { Container } from '../model/manifest/pod.ts';

/** What `fieldRef` can name. */
export interface PodFields {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly nodeName: string;
  readonly nodeIp: string;
  readonly serviceAccount: string;
  readonly podIps: readonly string[];
  readonly labels: ReadonlyMap<string, string>;
  readonly annotations: ReadonlyMap<string, string>;
}

const MAP_FIELD = /^metadata\.(labels|annotations)\['(.+)'\]$/;

/** The value of a field path; undefined when there is no such field. */
export function fieldValue(pod: PodFields, path: string): string | undefined {
  const [, map, key = ''] = MAP_FIELD.exec(path) ?? [];
  if (map !== undefined) return (map === 'labels' ? pod.labels : pod.annotations).get(key) ?? '';
  switch (path) {
    case 'metadata.name':
      return pod.name;
    case 'metadata.namespace':
      return pod.namespace;
    case 'metadata.uid':
      return pod.uid;
    case 'spec.nodeName':
      return pod.nodeName;
    case 'spec.serviceAccountName':
      return pod.serviceAccount;
    case 'status.podIP':
      return pod.podIps[0] ?? '';
    case 'status.podIPs':
      return pod.podIps.join(',');
    case 'status.hostIP':
      return pod.nodeIp;
    default:
      return undefined;
  }
}

/** Replaces `$(NAME)` by the variable's value; unknown names and `$$(NAME)` stay, as in Kubernetes. */
export function expandReferences(text: string, variables: ReadonlyMap<string, string>): string {
  return text.replace(/\$(\$|\(([-._a-zA-Z][-._a-zA-Z0-9]*)\))/g, (found, dollar: string, name: string | undefined) => {
    if (dollar === '$') return '$';
    return variables.get(name ?? '') ?? found;
  });
}

/** The variables of a container, without those of the machine. */
export function containerEnv(container: Container, pod: PodFields): Map<string, string> {
  const variables = new Map<string, string>([['HOSTNAME', pod.name]]);
  for (const [name, path] of container.envFields) variables.set(name, fieldValue(pod, path) ?? '');
  for (const [name, value] of container.env) variables.set(name, expandReferences(value, variables));
  return variables;
}

/** What to run; undefined when the manifest has no command: images are not run here. */
export function containerCommand(
  container: Container,
  variables: ReadonlyMap<string, string>,
): readonly string[] | undefined {
  if (container.command.length === 0) return undefined;
  return [...container.command, ...container.args].map((text) => expandReferences(text, variables));
}
