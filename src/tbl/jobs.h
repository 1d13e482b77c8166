/* Background jobs: JOB(name, unit, what a pass does). The function is job_<name>() in src/job/<name>.c; metrics and the control API use the name. */
JOB(sweep,     "blobs",   "deletes blobs that were written before the last start and never committed")
JOB(reaper,    "entries", "unlinks what died longer than the grace period ago, and frees its bytes")
JOB(lifecycle, "rows",    "deletes objects, versions and uploads that the rules of their bucket have ended")
JOB(backup,    "blobs",   "copies the index and the blobs that it names into a directory; when it is asked for")
JOB(scrub,     "bytes",   "verifies the index and every block of every blob, and names what is damaged")
JOB(keys,      "keys",    "forgets access keys and tokens that ended more than a day ago")
JOB(touch,     "reads",   "writes down on which day objects were last read")
JOB(age,       "rows",    "adds up how much of each bucket is hot, warm and cold")
