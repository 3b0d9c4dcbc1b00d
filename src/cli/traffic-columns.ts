/** What columns of tables of traffic mean, for the help of their commands. */
export const SUCCESS_AND_DENIED = `SUCCESS is the share of requests whose answer is no error of a server: not 5xx, and of gRPC none of UNKNOWN,
DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE and DATA_LOSS. DENIED/S is what the mesh itself
refused: requests by 401 or 403 of a waypoint, which reach no workload (unknown), and connections by policy.`;
