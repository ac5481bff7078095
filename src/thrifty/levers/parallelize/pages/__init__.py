"""Answers as pages: `answers` shows one plan and why, `choices` many beside each other, `errors` the model beside measured runs."""
