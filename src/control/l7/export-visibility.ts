/** Which namespaces see an object of Istio's (facts l7-and-control 1.1, 2.1). */

/**
 * Whether the namespace sees the object: by default all do.
 * @param own the object's namespace
 * @param namespace undefined: one that nobody names
 */
export function isExportedTo(exportTo: readonly string[], own: string, namespace: string | undefined): boolean {
  if (exportTo.length === 0 || exportTo.includes('*')) return true;
  if (namespace === undefined) return false;
  return exportTo.includes(namespace) || (exportTo.includes('.') && own === namespace);
}
