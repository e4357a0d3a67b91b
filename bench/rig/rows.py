"""The rows that rounds left: kept in a CSV file, read again for tables."""
import csv

FIELDS = ["round", "scenario", "peer", "clean", "foreign", "steal", "n", "errors", "requests_per_s",
          "cpu_us_per_request", "busy", "mean_us", "p50_us", "p90_us", "p99_us", "p99_9_us", "max_us",
          "longest_queue"]


class Rows:
    def __init__(self, path):
        self.path = path
        self.all = []

    def add(self, number, scenario, peer, row):
        seconds = row["seconds"]
        row = {**row, "round": number, "scenario": scenario, "peer": peer,
               "busy": round(row.get("cpu_s", 0) / seconds, 3) if seconds else 0}
        self.all.append({field: row.get(field) for field in FIELDS})
        with open(self.path, "w", encoding="ascii", newline="") as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(self.all)

    def of(self, scenario, peer, only_clean):
        """{round: row}"""
        return {row["round"]: row for row in self.all
                if row["scenario"] == scenario and row["peer"] == peer and (row["clean"] or not only_clean)}

    def values(self, scenario, peer, field, only_clean):
        return [row[field] for row in self.of(scenario, peer, only_clean).values() if row[field] is not None]

    def ratios(self, scenario, peer, over, field, only_clean):
        """peer / over, of the rounds that have both."""
        ours, theirs = self.of(scenario, over, only_clean), self.of(scenario, peer, only_clean)
        return [theirs[at][field] / ours[at][field] for at in sorted(ours.keys() & theirs.keys()) if ours[at][field]]

    def differences(self, scenario, peer, base, field, only_clean):
        """peer - base, of the rounds that have both."""
        base_rows, rows = self.of(scenario, base, only_clean), self.of(scenario, peer, only_clean)
        return [rows[at][field] - base_rows[at][field] for at in sorted(rows.keys() & base_rows.keys())]

    def clean_share(self):
        return sum(bool(row["clean"]) for row in self.all), len(self.all)
