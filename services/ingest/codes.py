"""Every code a feed can be marked with, its severity and what it means; `docs/feeds.md` shows this table.

GTFS codes follow the canonical GTFS Schedule validator, GTFS-RT codes in capitals follow the words of OpenTripPlanner's
real-time updaters (as in SIRI), the rest is ours. An `error` rejects the whole body, a `warning` keeps what is good.
"""

from typing import Literal

Severity = Literal["info", "warning", "error"]

CODES: dict[str, tuple[Severity, str]] = {
    # any body
    "empty_body": ("error", "the body has no bytes"),
    "too_large": ("error", "the body is larger than the limit of its kind"),
    "gzip_limit": ("error", "unpacking the gzip body passes the size or ratio limit, or it is packed twice"),
    "decode_error": ("error", "the body is not what its kind says (HTML, JSON instead of protobuf, broken markup)"),
    "invalid_utf8": ("error", "text that must be UTF-8 is not"),
    "invalid_character": ("warning", "a text file is not UTF-8 and was read as Windows-1252, or has replacement characters"),
    "adapter_error": ("error", "the adapter stumbled over the body in a way nobody foresaw: please report it with the body"),
    "schema_error": ("error", "required members are missing or have the wrong type"),
    "stale": ("error", "the publication is older than the limit of its kind"),
    "ageing": ("info", "the publication is older than its kind should be, but still usable"),
    "stale_entity": ("warning", "an entity is too old although the publication is fresh: dropped"),
    "timestamp_in_future": ("error", "the publication's time lies ahead of the clock"),
    "entity_in_future": ("warning", "an entity's time lies ahead of the clock: dropped"),
    "timestamp_not_posix": ("error", "a time is not in the unit the standard asks for (seconds for milliseconds or reverse)"),
    "missing_timestamp": ("warning", "the publication has no time of its own: time of reception taken"),
    "naive_time": ("warning", "a time without zone: read in the feed's declared zone"),
    "zone_guess": ("info", "times without zone lie ahead of the clock as UTC: read as local time"),
    "duplicate_entity": ("warning", "an entity stands twice: the last one wins"),
    "value_out_of_range": ("warning", "a value lies outside what is possible: dropped or clamped"),
    "value_conflict": ("warning", "values of one entity contradict each other"),
    "duplicate_json_key": ("warning", "a JSON object has a key twice: the last one wins"),
    "coordinates_out_of_range": ("warning", "coordinates are not on Earth, or at 0,0: position dropped"),
    "entity_limit": ("warning", "more entities than the limit: the rest was not read"),
    "no_entities": ("warning", "the publication is empty"),
    "invalid_entity": ("warning", "an entity lacks what it needs to be used: dropped"),
    "text_too_long": ("warning", "a text is longer than the limit: cut"),
    # XML
    "doctype_forbidden": ("error", "the document has a DOCTYPE or declares entities"),
    "xml_limit": ("error", "an attribute, a nesting or the number of elements passes the limit"),
    "unsupported_version": ("error", "a version of the standard that is not read"),
    "old_version": ("warning", "an old version of the standard, read as far as it goes"),
    "unsupported_publication": ("warning", "a kind of publication that carries nothing for this city"),
    # zip
    "bad_zip": ("error", "not a readable zip archive (CRC, encryption, wrong container)"),
    "zip_limit": ("error", "the archive unpacks to more than the limit, or has too many entries"),
    "zip_path": ("error", "an entry leads outside the archive"),
    # GTFS schedule
    "missing_required_file": ("error", "a file that GTFS requires is absent"),
    "missing_calendar_and_calendar_date_files": ("error", "neither calendar.txt nor calendar_dates.txt"),
    "missing_required_column": ("error", "a required column is absent"),
    "invalid_timezone": ("error", "agency_timezone is no IANA zone"),
    "no_usable_trip": ("error", "no trip has two usable stop times and a service"),
    "missing_recommended_file": ("info", "a recommended file is absent"),
    "empty_file": ("warning", "a file has no rows"),
    "empty_row": ("info", "a row is empty"),
    "unknown_column": ("warning", "a column GTFS does not know: ignored"),
    "unknown_file": ("warning", "a file GTFS does not know: ignored"),
    "duplicated_column": ("warning", "a column stands twice: the first one is read"),
    "file_name_case": ("warning", "file names are not in lower case"),
    "invalid_input_files_in_subfolder": ("warning", "files lie in a sub-folder of the archive: read from there"),
    "csv_parsing_failed": ("warning", "a file cannot be read as CSV to its end"),
    "invalid_row_length": ("warning", "a row has more or fewer values than the header: dropped"),
    "leading_or_trailing_whitespaces": ("warning", "values are padded with blanks: trimmed"),
    "new_line_in_value": ("warning", "a value contains a line break"),
    "duplicate_key": ("warning", "two rows have the same key: the trip is quarantined, elsewhere the first row is kept"),
    "missing_required_field": ("warning", "a required value is empty: row dropped"),
    "foreign_key_violation": ("warning", "a row refers to something that does not exist: dropped"),
    "invalid_date": ("warning", "not a date YYYYMMDD: row dropped"),
    "invalid_time": ("warning", "not a time H:MM:SS: trip quarantined"),
    "invalid_integer": ("warning", "not an integer: row dropped"),
    "invalid_float": ("warning", "not a number: row dropped"),
    "number_out_of_range": ("warning", "a number outside its range"),
    "unexpected_enum_value": ("warning", "a value outside its enumeration"),
    "stop_without_location": ("warning", "a stop has no usable coordinates"),
    "point_near_origin": ("warning", "a point at 0,0"),
    "point_near_pole": ("warning", "a point at a pole"),
    "stop_time_with_arrival_before_previous_departure_time": ("warning", "time goes back in a trip: trip quarantined"),
    "stop_time_with_departure_before_arrival_time": ("warning", "departure before arrival: trip quarantined"),
    "missing_trip_edge": ("warning", "first or last stop of a trip has no time: trip quarantined"),
    "unusable_trip": ("warning", "a trip with fewer than two stops"),
    "expired_calendar": ("warning", "a service has ended"),
    "feed_expiration_date": ("info", "the feed ends within 7 days"),
    "start_and_end_range_out_of_order": ("warning", "an end before its start"),
    "service_has_no_active_day": ("warning", "a service that never runs"),
    "overlapping_frequency": ("warning", "two frequencies of one trip overlap"),
    # GTFS real time (and SIRI ET): trips
    "TRIP_NOT_FOUND": ("warning", "the timetable has no such trip: entity dropped"),
    "NO_TRIP_ID": ("warning", "the entity names no trip: dropped"),
    "INVALID_STOP_REFERENCE": ("warning", "the trip does not call there: stop update dropped"),
    "NO_SERVICE_ON_DATE": ("warning", "the trip does not run on the start date given: entity dropped"),
    "NOT_IMPLEMENTED_UNSCHEDULED": ("warning", "UNSCHEDULED (frequency) trips are not laid over: entity dropped"),
    "NOT_MONITORED": ("warning", "the journey is not monitored: entity dropped"),
    "time_delay_conflict": ("warning", "time and delay disagree by more than a minute: time wins"),
    "unsorted_stop_sequence": ("warning", "stop updates were not in order of the trip: sorted"),
    "decreasing_times": ("warning", "predicted times go back along a trip"),
    "unsupported_incrementality": ("warning", "DIFFERENTIAL: laid over, nothing is cleared"),
    "is_deleted_in_full_dataset": ("warning", "is_deleted in a FULL_DATASET: entity ignored"),
    "duplicate_vehicle": ("warning", "one vehicle stands twice: the last one wins"),
    "multiple_vehicles_for_trip": ("warning", "several vehicles claim one trip"),
    "no_effect_entity": ("warning", "an alert informs about nothing: taken as about the whole feed"),
    "dated_alert": ("info", "an alert has ended: dropped"),
    # roads
    "data_error": ("warning", "the supplier marks a value as wrong: not used"),
    "unknown_site": ("warning", "a site that the measurement site table does not have"),
    "out_of_order": ("warning", "an older version after a newer one: dropped"),
    "no_location": ("warning", "a record without a location that can be read"),
    "implausible_speed": ("warning", "a speed over 200 km/h or negative: not used"),
    # vehicles, parking
    "not_in_service": ("info", "a vehicle without a route: kept as position only"),
    "unknown_state": ("warning", "a state word that is not known: taken as unknown"),
    "missing_value": ("info", "an entity without the value looked for"),
    # matching
    "unmatched": ("info", "the entity was not matched to the city"),
    # polling
    "http_status": ("error", "the server answered with an error status"),
    "timeout": ("error", "no answer in time, or too slow"),
    "connection": ("error", "no connection to the server, or it broke"),
    "redirect_forbidden": ("error", "a redirect to a host or scheme that the feed's policy does not allow"),
    "push_limit": ("error", "a pushed body is larger than the limit"),
}  # fmt: skip
"""Code → (severity, meaning)."""


def severity(code: str) -> Severity:
    """Severity of a documented `code`; KeyError for one that is not documented."""
    return CODES[code][0]
