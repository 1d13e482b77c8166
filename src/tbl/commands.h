/*
 * Subcommands: COMMAND(name, function, arguments, what it does, an example). The command line, `caisson help`, the manual page and
 * the shell completion all come from this table.
 */
COMMAND("serve", cmd_serve, "--data-dir DIR [--PARAMETER VALUE ...]",
    "Run a store until SIGTERM or Ctrl-C. --help-config lists all parameters; --config FILE reads them from YAML.",
    "caisson serve --data-dir /var/lib/caisson --listen 0.0.0.0:9000")
COMMAND("check", cmd_check, "--data-dir DIR [--strict] [--PARAMETER VALUE ...]",
    "Verify a stopped store without changing it, and name every damaged object. Exit status 1: there is damage; with --strict: or a leak.",
    "caisson check --data-dir /var/lib/caisson")
COMMAND("check-config", cmd_check_config, "[--config FILE] [--PARAMETER VALUE ...]",
    "Read flags, environment and file, and print every parameter as it would be.", "caisson check-config --config /etc/caisson/caisson.yaml")
COMMAND("org", cmd_org, "COMMAND [--url URL] [--json] ...",
    "Organizations: list, create, show, delete, set.", "caisson org list")
COMMAND("user", cmd_user, "COMMAND [--url URL] [--json] ...",
    "Users: list, create, set, delete.", "caisson user create alice --role admin")
COMMAND("token", cmd_token, "COMMAND [--url URL] [--json] ...",
    "Tokens of the control API: list, create, revoke.", "caisson token list")
COMMAND("key", cmd_key, "COMMAND [--url URL] [--json] ...",
    "Access keys: list, create, show, status, revoke, revoke-principal.", "caisson key create --duration 3600")
COMMAND("policy", cmd_policy, "COMMAND [--url URL] [--json] ...",
    "Organization policies: list, ensure, delete, can-i.", "caisson policy ensure readers.json")
COMMAND("bucket", cmd_bucket, "COMMAND [--url URL] [--json] ...",
    "Buckets: list, show, set.", "caisson bucket show models")
COMMAND("oidc", cmd_oidc, "COMMAND [--url URL] [--json] ...",
    "Identity providers: list, ensure, delete.", "caisson oidc ensure https://token.example.com caisson")
COMMAND("master-key", cmd_master_key, "COMMAND [--url URL] [--json] ...",
    "The key that secrets are encrypted under: rotate.", "caisson master-key rotate")
COMMAND("worker", cmd_worker, "COMMAND [--url URL] [--json] ...",
    "Workers, and what each does now: list.", "caisson worker list")
COMMAND("backup", cmd_backup, "DIR [--keep N] [--url URL] [--token-file FILE | --data-dir DIR] [--json]",
    "Back up a running store into a directory of its machine, and wait for the end. --keep: how many sets stay (7).",
    "caisson backup /mnt/backup/caisson --data-dir /var/lib/caisson")
COMMAND("restore", cmd_restore, "--from DIR [--set NAME] --data-dir NEW",
    "Make a data directory out of a backup: the newest set, or the one named. Everything is read and verified.",
    "caisson restore --from /mnt/backup/caisson --data-dir /var/lib/caisson")
COMMAND("job", cmd_job, "COMMAND [--url URL] [--json] ...",
    "Background jobs: list, show, run, start.", "caisson job run lifecycle")
COMMAND("scrub", cmd_scrub, "[--url URL] [--token-file FILE | --data-dir DIR]",
    "Verify a running store now, and name every damaged object. Exit status 1: there is damage.", "caisson scrub")
COMMAND("manual", cmd_manual, "man|bash|zsh",
    "Print the manual page, or completion for a shell.", "caisson manual bash > /usr/share/bash-completion/completions/caisson")
COMMAND("version", cmd_version, "", "Print the version.", "caisson version")
COMMAND("help", cmd_help, "[COMMAND]", "Print what there is, or what one command takes.", "caisson help serve")
