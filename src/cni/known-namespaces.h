/*
 * The file in which the agent keeps which namespaces of the cluster are in the mesh, for the time when it cannot be
 * asked. It survives a reboot. One line each: "plain NAME" or "enrolled NAME", after a first line with the format.
 */
#ifndef AMBIT_CNI_KNOWN_NAMESPACES_H
#define AMBIT_CNI_KNOWN_NAMESPACES_H

enum known_namespace { NAMESPACE_UNKNOWN, NAMESPACE_PLAIN, NAMESPACE_ENROLLED };

/* Looks a namespace up. A file that is missing or of another format knows nothing. */
enum known_namespace known_namespace(const char *path, const char *name);

#endif
