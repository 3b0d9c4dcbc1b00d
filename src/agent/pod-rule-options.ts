/** What a pod's annotations change in its redirection (facts ztunnel-wire 2.5). Values that make no sense are ignored. */
import type { Logger } from '../base/logger.ts';
import { type AgentPod, podText } from '../model/agent-pod.ts';
import type { InPodRuleOptions } from './in-pod-rules.ts';

const BYPASS_INBOUND = 'ambient.istio.io/bypass-inbound-capture';
const DNS_CAPTURE = 'ambient.istio.io/dns-capture';
const REROUTE_INTERFACES = 'istio.io/reroute-virtual-interfaces';

/** The spellings that Go's strconv.ParseBool takes. */
const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

/** Names the kernel takes, and nothing that could end a rule: the name becomes part of the rule text. */
const INTERFACE_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/;

/** The options for one pod: the defaults of the node, changed by annotations. */
export function podRuleOptions(defaults: InPodRuleOptions, pod: AgentPod, log: Logger): InPodRuleOptions {
  const flag = (name: string, fallback: boolean) => {
    const text = pod.annotations[name];
    if (text === undefined) return fallback;
    if (TRUE.has(text)) return true;
    if (FALSE.has(text)) return false;
    log.warn('annotation is not a boolean, it is ignored', { pod: podText(pod), annotation: name, value: text });
    return fallback;
  };
  return {
    ...defaults,
    dnsCapture: flag(DNS_CAPTURE, defaults.dnsCapture),
    ingressMode: flag(BYPASS_INBOUND, defaults.ingressMode),
    rerouteVirtualInterfaces: interfacesOf(pod, log) ?? defaults.rerouteVirtualInterfaces,
  };
}

function interfacesOf(pod: AgentPod, log: Logger): readonly string[] | undefined {
  const text = pod.annotations[REROUTE_INTERFACES];
  if (text === undefined) return undefined;
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const good = names.filter((name) => INTERFACE_NAME.test(name));
  if (good.length < names.length) {
    log.warn('annotation holds names that are no interfaces, they are ignored', {
      pod: podText(pod),
      annotation: REROUTE_INTERFACES,
      value: text,
    });
  }
  return good;
}
