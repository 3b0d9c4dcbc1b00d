/** The name of a mesh that was given none. */
export const DEFAULT_RUN_NAME = 'default';
