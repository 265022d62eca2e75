/** `from` says where it is held, `is` what it is. */
export interface Line {
  from?: 'redis' | 'outbox' | 'archive';
  is: string;
  [what: string]: unknown;
}
