"""What elements run against what services own and operators demand: drift, rules, backups, adoption."""
