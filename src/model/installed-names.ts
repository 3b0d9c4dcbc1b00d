/** Names of objects in a cluster that more than one part has to agree on. */

/** The authority that somebody plugged in (Istio's name for it). */
export const PLUGGED_IN_SECRET = 'cacerts';
/** The root that the control plane made for itself. */
export const OWN_ROOT_SECRET = 'istio-ca-secret';
/** The roots that clients trust, in every namespace. */
export const ROOT_CONFIG_MAP = 'istio-ca-root-cert';
/** How those are marked. */
export const ROOT_CONFIG_MAP_LABELS = { 'istio.io/config': 'true' };
/** The ValidatingWebhookConfiguration. */
export const WEBHOOK_CONFIGURATION = 'ambit-validator';
/** The Lease of the replica that leads; another revision than the default one is appended. */
export const CONTROL_LEASE = 'ambit-control';
/** The MeshConfig; another revision than the default one is appended. */
export const MESH_CONFIG_MAP = 'istio';
/** What the agent says on a pod: `enabled`, or `pending` before its proxy has taken it. */
export const REDIRECTION_ANNOTATION = 'ambient.istio.io/redirection';

/** The CRD that tells which release of the Gateway API a cluster has. */
export const GATEWAY_CLASS_CRD = 'gatewayclasses.gateway.networking.k8s.io';
