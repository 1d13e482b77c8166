/*
 * Subcommands: COMMAND(name, function, arguments, what it does, an example). The command line, `caisson help`, the manual page and
 * the shell completion all come from this table.
 */
COMMAND("serve", cmd_serve, "--data-dir DIR [--PARAMETER VALUE ...]",
    "Run a store until SIGTERM. --help-config lists all parameters.", "caisson serve --data-dir /var/lib/caisson --listen 0.0.0.0:9000")
COMMAND("check-config", cmd_check_config, "[--config FILE] [--PARAMETER VALUE ...]",
    "Read flags, environment and file, and print every parameter as it would be.", "caisson check-config --config /etc/caisson/caisson.yaml")
COMMAND("manual", cmd_manual, "man|bash",
    "Print the manual page, or completion for bash.", "caisson manual bash > /usr/share/bash-completion/completions/caisson")
COMMAND("version", cmd_version, "", "Print the version.", "caisson version")
COMMAND("help", cmd_help, "[COMMAND]", "Print what there is, or what one command takes.", "caisson help serve")
