/**
 * How large the tables are that requests are spread with by a hash. A waypoint builds them on its one thread, each time
 * that endpoints come or go: these take some 10 ms, and Envoy's largest, 8,388,608 and 5,000,011, took a second.
 */

/** Points of a hash ring, as long as it has no more endpoints. */
export const MAX_RING_SIZE = 65_536;
/** Places of a table of Maglev; a prime number, as they all have to be. */
export const MAX_MAGLEV_SIZE = 131_071;
