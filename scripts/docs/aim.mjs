// Aims, as tables show them.

/** Reached by this or less. */
export const atMost = (aim) => ({ text: `≤ ${aim}`, holds: (value) => value <= aim });
/** Reached by this or more. */
export const atLeast = (aim) => ({ text: `≥ ${aim}`, holds: (value) => value >= aim });
