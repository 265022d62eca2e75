// What calls answer, for the service and for the pages that ask it. It imports nothing, so that a browser may have it, too.

/** The product document's names. */
export interface Profile {
  user_id: string;
  number_pages_viewed_in_the_last_7_days: number;
  time_spent_on_site_in_last_7_days: number;
  number_of_days_active_in_last_7_days: number;
  most_viewed_page_in_last_7_days: string | null;
}

export interface ProfileDay {
  date: string;
  views: number;
  seconds: number;
  most_viewed_page: string | null;
}

export interface UserVisits {
  user_id: string;
  session_gap_seconds: number;
  /** By views over the window, most first; not all of many. */
  pages: { name: string; views: number }[];
  pages_total: number;
  /** Seven, oldest first. */
  days: VisitDay[];
}

export interface VisitDay {
  date: string;
  views: number;
  seconds: number;
  /** Older views of the day that are not among `visits`. */
  left_out: number;
  visits: Visit[];
}

export interface Visit {
  at: string;
  /** Not known of one that came with an event_id, nor of one past MAX_PAGES_PER_USER_DAY. */
  page: string | null;
  /** Since the view before, of whatever day of the window; null for the first. */
  step_seconds: number | null;
  /** Whether that is time spent. */
  counted: boolean;
}

export interface SiteReport {
  site_id: string;
  from: string;
  to: string;
  views: number;
  unique_users: number;
  /** Whether unique_users is; a day's are, unless it is older than the archive. */
  exact: boolean;
  events_by_type: Record<string, number>;
  top_paths: { path: string; views: number }[];
  days: SiteDay[];
}

export interface SiteDay {
  date: string;
  views: number;
  unique_users: number;
}

export interface Receipt extends Residue {
  user_id: string;
  /** Everything of the user up to then is gone and stays gone. */
  erased_at: string;
  keys_deleted: number;
  /** Counts about everybody that lost this user. */
  counts_corrected: number;
  /** Whether the archive has forgotten, too. */
  archive: 'none' | 'pending' | 'done';
  /** What to ask after it by, where there is an archive. */
  erasure_id?: string;
}

export interface Residue {
  scan: 'complete' | 'incomplete';
  /** Keys dropped; null when the walk did not get to the end. */
  residue: number | null;
}

export interface ErasureState {
  erasure_id: string;
  archive: 'pending' | 'done';
  /** When the archive had forgotten. */
  done_at: string | null;
  rows_deleted: number | null;
}

/** What `GET /v1/key` says of the service, and of the key. */
export interface Service {
  /** Whether there are any. */
  keys: boolean;
  may: Right[];
  archive: boolean;
  time_spent_unit: 'minutes' | 'seconds';
  session_gap_seconds: number;
  /** How many days a report may have. */
  report_days: number;
}

export type Right = 'write' | 'read' | 'admin' | 'metrics';
